"""What looks strange in a ledger: each rule beside another way to say the same."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.wallet.domain.anomalies import (
    ANOMALIES_MAX,
    REFERENCES_MAX,
    REPEATABLE_TYPES,
    REPEATED_WITHIN,
    Anomaly,
    AnomalyKind,
    CreditLine,
    SpentDay,
    find_anomalies,
    first_day,
    is_spike,
    repeated_credits,
    unpaid_top_ups,
)
from services.wallet.domain.values import EntryType

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CREDIT_TYPES = (*REPEATABLE_TYPES, EntryType.REFUND)


def line(
    name: str,
    minutes: float = 0,
    amount: int = 25_000_000,
    type_: EntryType = EntryType.TOP_UP,
    organization_id: str = "org-1",
) -> CreditLine:
    time = NOON + minutes * MINUTE
    return CreditLine(organization_id, int(minutes * 10), time, type_, "USD", amount, name)


lines = st.lists(
    st.builds(
        line,
        name=st.sampled_from("abcdef"),
        minutes=st.integers(-20, 20).map(lambda number: number * 31),
        amount=st.sampled_from((1, 2)),
        type_=st.sampled_from(CREDIT_TYPES),
        organization_id=st.sampled_from(("org-1", "org-2")),
    ),
    max_size=30,
)


def near(one: CreditLine, others: Sequence[CreditLine]) -> set[CreditLine]:
    """Return what hangs together with a credit, hour by hour, by asking all for all."""
    together, more = set[CreditLine](), {one}
    while more:
        together |= more
        more = {
            each
            for each in others
            for known in together
            if abs(each.create_time - known.create_time) <= REPEATED_WITHIN
        } - together
    return together


@given(lines)
def test_credits_that_hang_together_under_several_names_are_told_once(
    credited: list[CreditLine],
) -> None:
    found = list(repeated_credits(credited))
    expected = set()
    for each in credited:
        alike = [
            other
            for other in credited
            if other.type in REPEATABLE_TYPES
            if (other.organization_id, other.amount_micros)
            == (each.organization_id, each.amount_micros)
        ]
        together = near(each, alike) if each in alike else {each}
        names = {other.name for other in together}
        if len(names) > 1:
            last = max(together, key=lambda other: other.create_time)
            doubted = each.amount_micros * (len(names) - 1)
            expected.add((each.organization_id, last.create_time, doubted, frozenset(names)))
    assert len(found) == len(expected)
    assert {
        (a.organization_id, a.time, a.amount_micros, frozenset(a.reference_ids)) for a in found
    } == expected


def test_one_payment_that_grows_is_not_credited_twice() -> None:
    steps = [line("stripe:pi_1", minute, type_=EntryType.PAYMENT) for minute in (0, 5)]
    assert not list(repeated_credits(steps))
    # A backend that credits what the gateway has credited already is.
    [found] = repeated_credits([*steps, line("top-up-1", 10)])
    assert found.reference_ids == ("top-up-1", "stripe:pi_1")


def test_refunds_of_messages_at_one_price_are_not_strange() -> None:
    assert not list(
        repeated_credits([line(f"msg-{n}", n, type_=EntryType.REFUND) for n in range(3)])
    )


@given(lines)
def test_every_top_up_counts_once_with_its_wallet_and_day(credited: list[CreditLine]) -> None:
    found = list(unpaid_top_ups(credited))
    top_ups = [each for each in credited if each.type is EntryType.TOP_UP]
    assert sum(each.amount_micros for each in found) == sum(each.amount_micros for each in top_ups)
    days = {(each.organization_id, each.create_time.date()) for each in top_ups}
    assert [(each.organization_id, each.time.date()) for each in found] == sorted(days)


@given(st.integers(0, 2**27), st.integers(0, 2**28))
def test_a_spike_is_more_than_five_times_the_mean_and_ten_units(spent: int, before: int) -> None:
    usual = Fraction(before, 7)
    assert is_spike(spent, before) == (spent > 10_000_000 and spent > 5 * usual)


def test_the_bounds_of_a_spike_are_exact() -> None:
    assert not is_spike(10_000_000, 0)
    assert is_spike(10_000_001, 0)
    assert not is_spike(50_000_000, 70_000_000)
    assert is_spike(50_000_001, 70_000_000)


@given(lines, st.integers(-600, 600))
def test_only_what_has_happened_since_is_told_and_the_newest_first(
    credited: list[CreditLine], minutes: int
) -> None:
    since = NOON + minutes * MINUTE
    found = find_anomalies(credited, [], since)
    assert all(each.time >= since for each in found)
    assert [each.time for each in found] == sorted((each.time for each in found), reverse=True)
    of_all = find_anomalies(credited, [], NOON - timedelta(days=9))
    repeats = {each for each in of_all if each.kind is AnomalyKind.REPEATED_CREDIT}
    assert {each for each in found if each.kind is AnomalyKind.REPEATED_CREDIT} == {
        each for each in repeats if each.time >= since
    }


def test_what_is_told_is_bounded() -> None:
    many = [line(f"in-{number}", number) for number in range(30)]
    found = find_anomalies(many, [], NOON)
    assert {each.kind for each in found} == {
        AnomalyKind.REPEATED_CREDIT,
        AnomalyKind.CREDIT_WITHOUT_PAYMENT,
    }
    newest = tuple(f"in-{number}" for number in range(29, 29 - REFERENCES_MAX, -1))
    assert {each.reference_ids for each in found} == {newest}
    days = [
        SpentDay(f"org-{number}", "USD", NOON.date(), NOON, 10_000_001, 0)
        for number in range(ANOMALIES_MAX + 1)
    ]
    assert len(find_anomalies([], days, NOON)) == ANOMALIES_MAX
    assert find_anomalies([], days[:1], NOON) == [
        Anomaly(AnomalyKind.DEBIT_SPIKE, "org-0", NOON, "USD", 10_000_001)
    ]


def test_a_week_before_the_first_day_is_known() -> None:
    assert first_day(NOON) == datetime(2026, 3, 3, tzinfo=UTC)
