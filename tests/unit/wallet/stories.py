"""Random stories of one wallet: commands of every kind, and time between them.

A step is drawn as a whole, from all that can be made of a few values: that is quick, and few
amounts meet each other at the edges often.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from operator import neg
from typing import NamedTuple, TypeAlias

from hypothesis import settings
from hypothesis import strategies as st

from libs.levels import SubscriptionLevel, SubscriptionState
from services.wallet.domain.commands import (
    ApplyPayment,
    Command,
    ObserveSubscription,
    OpenWallet,
    Reevaluate,
    SetThresholds,
)
from services.wallet.domain.draft import Effect
from services.wallet.domain.values import Wallet
from tests.support.searching import FEW_EXAMPLES, MANY_EXAMPLES
from tests.unit.wallet.ledger import (
    HOUR,
    START,
    Ledger,
    Outcome,
    adjust,
    capture,
    credit,
    debit,
    freeze,
    lift,
    opened,
    payment,
    place,
    release,
)

at_length = settings(max_examples=MANY_EXAMPLES)
briefly = settings(max_examples=FEW_EXAMPLES)

# A time is one in which nothing is asked for.
Step: TypeAlias = Command | timedelta
Story: TypeAlias = Sequence[Step]

AMOUNTS = (1, 2, 10, 30, 100, 250)
REFERENCES = [f"reference-{number}" for number in range(12)]
CAPTURES = [*REFERENCES[:2], *(f"capture-{number}" for number in range(22))]
HOLDS = [f"hold-{number}" for number in range(3)]
PAYMENTS = [f"payment-{number}" for number in range(3)]
FLAGS = (False, True)
RARELY = (*[False] * 9, True)


def steps(amounts: Sequence[int] = AMOUNTS) -> st.SearchStrategy[Step]:
    """Return a step of any kind; spending is what most do."""
    small, large = amounts[: len(amounts) // 2], amounts[len(amounts) // 2 :]
    spending: list[list[Step]] = [
        [debit(*values) for values in product(amounts, REFERENCES)],
        [debit(*values) for values in product(large, REFERENCES)],
        _levels(amounts),
        [place(*values) for values in product(amounts, HOLDS, (HOUR, 24 * HOUR))],
        _captures(amounts),
    ]
    kinds: list[list[Step]] = [
        [Reevaluate()],
        [timedelta(minutes=10), 2 * HOUR, 30 * HOUR],
        [credit(*values) for values in product(small, REFERENCES)],
        [adjust(*values) for values in product([*small, *map(neg, amounts)], REFERENCES)],
        *spending * 3,
        [release(name) for name in HOLDS],
        [_subscription(days) for days in (0, 1, *[90] * 8)],
        [command(name) for command in (freeze, lift, lift) for name in ("", PAYMENTS[0])],
        [SetThresholds(*pair) for pair in product((None, *amounts), (None, *amounts))],
        [OpenWallet("USD"), OpenWallet("EUR")],
    ]
    return st.one_of([st.sampled_from(kind) for kind in kinds])


def _levels(amounts: Sequence[int]) -> list[Step]:
    """Levels that are possible. The revision tells by how much they come late."""
    return [
        payment(-late, credited, reversed_, at_risk, blocks_spending=blocks, payment_id=name)
        for late, name, credited, at_risk, blocks in product(
            (0, 0, 8), PAYMENTS, amounts, (*[0] * 9, *amounts), RARELY
        )
        for reversed_ in (0, 1, credited)
    ]


def _captures(amounts: Sequence[int]) -> list[Step]:
    return [
        capture(amount, reference_id, hold, final=final, allow_excess=allow_excess)
        for final, allow_excess, amount, hold, reference_id in product(
            RARELY, FLAGS, amounts, HOLDS, CAPTURES
        )
    ]


def _subscription(good_days: int) -> ObserveSubscription:
    good_until = START + timedelta(days=good_days) if good_days else None
    state = SubscriptionState.ACTIVE if good_days else SubscriptionState.PAST_DUE
    return ObserveSubscription(SubscriptionLevel(0, state, bool(good_days), good_until))


def stories(amounts: Sequence[int] = AMOUNTS) -> st.SearchStrategy[Story]:
    """Return stories of some thirty steps."""
    return st.lists(steps(amounts), min_size=10, max_size=50).map(_numbered)


def _numbered(story: Story) -> Story:
    """Give each level the revision that its place in the story makes it have."""
    return [_with_revision(step, number) for number, step in enumerate(story, start=1)]


def _with_revision(step: Step, number: int) -> Step:
    match step:
        case ApplyPayment():
            return step._replace(revision=max(1, number + step.revision))
        case ObserveSubscription(SubscriptionLevel(_, state, is_good, good_until)):
            return ObserveSubscription(SubscriptionLevel(number, state, is_good, good_until))
        case _:
            return step


def begun() -> Ledger:
    """Return a wallet with which a story may begin."""
    ledger = opened(100)
    ledger.execute(place(30, HOLDS[0], 24 * HOUR))
    return ledger


class Happening(NamedTuple):
    """What a command came to."""

    before: Wallet
    command: Command
    outcome: Outcome


def tell(story: Story, ledger: Ledger | None = None) -> Iterator[tuple[Ledger, Happening]]:
    """Play a story, step by step. What time does is a step of its own."""
    ledger = ledger or begun()
    for step in story:
        if isinstance(step, timedelta):
            ledger.now += step
        command = Reevaluate() if isinstance(step, timedelta) else step
        before = ledger.wallet
        (outcome,) = ledger.execute_together([command])
        yield ledger, Happening(before, command, outcome)


def effects(story: Story) -> Iterator[tuple[Wallet, Command, Effect]]:
    """Play a story; tell of what was done, and how the wallet stood before."""
    for _, (before, command, outcome) in tell(story):
        if isinstance(outcome, Effect) and not outcome.replayed:
            yield before, command, outcome


def play(story: Story, ledger: Ledger | None = None) -> Ledger:
    """Play a story to its end."""
    ledger = ledger or begun()
    for _ in tell(story, ledger):
        pass
    return ledger
