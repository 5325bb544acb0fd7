"""Times on the wire."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def to_timestamp(time: datetime | None) -> Timestamp | None:
    """Return a time for a message; None leaves the field unset."""
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp


def optional_time(message: Message, field: str) -> datetime | None:
    """Return a message's time in UTC, None where the field is unset."""
    if not message.HasField(field):
        return None
    timestamp: Timestamp = getattr(message, field)
    return timestamp.ToDatetime(tzinfo=UTC)
