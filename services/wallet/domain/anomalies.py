"""What is allowed in a ledger and looks strange: one rule each."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

from services.wallet.domain.values import EntryType

ANOMALIES_MAX = 500
REFERENCES_MAX = 20
REPEATED_WITHIN = timedelta(hours=1)
SPIKE_FACTOR = 5
# Ten units of the currency: below it a day is nothing to look at.
SPIKE_MICROS_MIN = 10_000_000
USUAL_DAYS = 7
# Not refunds: of messages at one price, many are alike.
REPEATABLE_TYPES = (EntryType.TOP_UP, EntryType.PROMOTION, EntryType.PAYMENT)


class AnomalyKind(StrEnum):
    """What is strange."""

    REPEATED_CREDIT = "REPEATED_CREDIT"
    DEBIT_SPIKE = "DEBIT_SPIKE"
    CREDIT_WITHOUT_PAYMENT = "CREDIT_WITHOUT_PAYMENT"


class Anomaly(NamedTuple):
    """Something that a person should have a look at."""

    kind: AnomalyKind
    organization_id: str
    time: datetime
    currency_code: str
    amount_micros: int
    usual_micros: int = 0
    reference_ids: tuple[str, ...] = ()


class CreditLine(NamedTuple):
    """An entry that has added money; its name is the payment, or else the reference."""

    organization_id: str
    sequence: int
    create_time: datetime
    type: EntryType
    currency_code: str
    amount_micros: int
    name: str


class SpentDay(NamedTuple):
    """What debits and captures of a wallet came to in a day, and in the seven days before it."""

    organization_id: str
    currency_code: str
    day: date
    last_time: datetime
    spent_micros: int
    spent_before_micros: int


def first_day(start_time: datetime) -> datetime:
    """Return the midnight from which on debits have to be known."""
    midnight = start_time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=USUAL_DAYS)


def find_anomalies(
    credited: Sequence[CreditLine], spent: Iterable[SpentDay], start_time: datetime
) -> list[Anomaly]:
    """Return what happened since then that is strange, newest first.

    Credits are known from an hour before it.
    """
    recent = [line for line in credited if line.create_time >= start_time]
    found = [
        *(each for each in repeated_credits(credited) if each.time >= start_time),
        *unpaid_top_ups(recent),
        *debit_spikes(spent),
    ]
    found.sort(key=attrgetter("time", "organization_id", "kind"), reverse=True)
    return found[:ANOMALIES_MAX]


def repeated_credits(credited: Iterable[CreditLine]) -> Iterator[Anomaly]:
    """Find credits of one amount, each within an hour of the one before, under other names.

    What one payment has added in several steps is not strange.
    """
    same = attrgetter("organization_id", "currency_code", "amount_micros")
    repeatable = [line for line in credited if line.type in REPEATABLE_TYPES]
    repeatable.sort(key=lambda line: (same(line), line.create_time, line.sequence))
    for _, lines in groupby(repeatable, key=same):
        for run in _runs(list(lines)):
            names = _names(run)
            if len(names) > 1:
                yield _of_lines(
                    AnomalyKind.REPEATED_CREDIT, run, run[0].amount_micros * (len(names) - 1)
                )


def unpaid_top_ups(credited: Iterable[CreditLine]) -> Iterator[Anomaly]:
    """Find, of each wallet and day, what a backend has topped up by itself."""

    def whose(line: CreditLine) -> tuple[str, str, date]:
        return line.organization_id, line.currency_code, line.create_time.astimezone(UTC).date()

    top_ups = [line for line in credited if line.type is EntryType.TOP_UP]
    top_ups.sort(key=lambda line: (whose(line), line.create_time, line.sequence))
    for _, grouped in groupby(top_ups, key=whose):
        lines = list(grouped)
        amount = sum(line.amount_micros for line in lines)
        yield _of_lines(AnomalyKind.CREDIT_WITHOUT_PAYMENT, lines, amount)


def debit_spikes(spent: Iterable[SpentDay]) -> Iterator[Anomaly]:
    """Find days on which far more was spent than on those before."""
    for each in spent:
        if is_spike(each.spent_micros, each.spent_before_micros):
            yield Anomaly(
                AnomalyKind.DEBIT_SPIKE,
                each.organization_id,
                each.last_time,
                each.currency_code,
                each.spent_micros,
                each.spent_before_micros // USUAL_DAYS,
            )


def is_spike(spent_micros: int, spent_before_micros: int) -> bool:
    """Tell whether a day is out of all proportion to the mean of the days before."""
    is_much = spent_micros > SPIKE_MICROS_MIN
    return is_much and spent_micros * USUAL_DAYS > SPIKE_FACTOR * spent_before_micros


def _runs(lines: Sequence[CreditLine]) -> Iterator[Sequence[CreditLine]]:
    """Part lines, oldest first, where more than an hour lies between two of them."""
    breaks = [
        number
        for number, (before, after) in enumerate(pairwise(lines), start=1)
        if after.create_time - before.create_time > REPEATED_WITHIN
    ]
    for start, end in pairwise([0, *breaks, len(lines)]):
        yield lines[start:end]


def _names(lines: Sequence[CreditLine]) -> list[str]:
    """Return each name once, newest first."""
    return list(dict.fromkeys(line.name for line in reversed(lines)))


def _of_lines(kind: AnomalyKind, lines: Sequence[CreditLine], amount_micros: int) -> Anomaly:
    last = lines[-1]
    return Anomaly(
        kind,
        last.organization_id,
        last.create_time,
        last.currency_code,
        amount_micros,
        reference_ids=tuple(_names(lines)[:REFERENCES_MAX]),
    )
