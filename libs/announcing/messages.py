"""Announcements on the wire."""

from libs.announcing.ports import Announcement, Backlog
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


def announcement_message(announcement: Announcement) -> operations_pb2.Announcement:
    """Return how far an observer has taken a level, as it is told."""
    return operations_pb2.Announcement(
        organization_id=announcement.key.organization_id,
        level=announcement.level,
        key=announcement.key.key,
        observer=announcement.observer,
        revision=announcement.revision,
        acknowledged_revision=announcement.acknowledged_revision,
        pending_since_time=to_timestamp(announcement.pending_since),
        attempt_count=announcement.attempt_count,
        last_error=announcement.last_error,
    )
