"""Announcements on the wire."""

from libs.announcing.ports import Backlog
from libs.rpc.times import to_timestamp
from tollgate.operations.v1 import operations_pb2


def backlog_message(backlog: Backlog) -> operations_pb2.AnnouncementBacklog:
    """Return what an observer has not acknowledged, as it is told."""
    return operations_pb2.AnnouncementBacklog(
        level=backlog.level,
        observer=backlog.observer,
        pending_count=backlog.pending_count,
        oldest_time=to_timestamp(backlog.oldest_time),
        last_error=backlog.last_error,
    )
