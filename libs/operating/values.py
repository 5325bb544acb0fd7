"""What operators do by hand, and what holds locks."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does by hand, to whom and to what, and why."""

    action: str
    actor: str
    note: str
    organization_id: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """An act as it is kept for ever."""

    action_id: int
    create_time: datetime
    act: Act


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """Which actions; what is unset does not restrict."""

    organization_id: str
    action: str
    actor: str
    start_time: datetime | None
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class LongTransaction:
    """A transaction that has been open for long and that others may have to wait for."""

    process_id: int
    role: str
    application_name: str
    state: str
    start_time: datetime
    waiting_count: int
