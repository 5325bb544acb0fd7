"""A finding, what it is concluded from, and which one is to be seen to first."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from services.operator_console.domain.commands import Commands
from tollgate.operator_console.v1 import diagnosis_pb2

CRITICAL: Final = diagnosis_pb2.SEVERITY_CRITICAL
BLOCKING: Final = diagnosis_pb2.SEVERITY_BLOCKING
WARNING: Final = diagnosis_pb2.SEVERITY_WARNING
INFO: Final = diagnosis_pb2.SEVERITY_INFO

Finding = diagnosis_pb2.Finding
CaseT = TypeVar("CaseT")
# A rule looks at a case and tells what it finds, nothing if all is well.
Rule = Callable[[CaseT], Iterator[Finding]]


class Silence(StrEnum):
    """Why a service has not answered."""

    SERVICE_DOWN = "SERVICE_DOWN"
    DATABASE_DOWN = "DATABASE_DOWN"
    SERVICE_FAILING = "SERVICE_FAILING"
    ACCESS_REFUSED = "ACCESS_REFUSED"
    SET_UP_OUTDATED = "SET_UP_OUTDATED"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A service that did not answer all that it was asked."""

    silence: Silence
    error: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What every case has: the time, who did not answer, and how commands are made."""

    now: datetime
    unanswered: Mapping[str, Unanswered]
    commands: Commands


def conclude(rules: Iterable[Rule[CaseT]], case: CaseT) -> list[Finding]:
    """Return all findings, the one to see to first at the head; equals stay in the rules' order."""
    found = [finding for rule in rules for finding in rule(case)]
    return sorted(found, key=lambda finding: finding.severity)


def age_seconds(since: Timestamp, now: datetime) -> float:
    """Return for how long it has been so."""
    return now.timestamp() - since.ToNanoseconds() / 1e9


def money(micros: int, currency_code: str) -> str:
    """Return an amount as people read it."""
    units = f"{abs(micros) // 1_000_000}.{abs(micros) % 1_000_000:06d}"
    whole, _, fraction = units.partition(".")
    return (
        f"{'-' if micros < 0 else ''}{whole}.{fraction.rstrip('0').ljust(2, '0')} {currency_code}"
    )


def span(seconds: float) -> str:
    """Return a span of time as people read it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def name_of(enum: Any, value: int) -> str:
    """Return a value's name; its number, if whoever tells it is newer than this console."""
    known = enum.DESCRIPTOR.values_by_number.get(value)
    return known.name if known else str(value)


def why_note(code: str) -> str:
    """Return the note that a pasted command leaves in the history."""
    return f"as the operator console said: {code}"
