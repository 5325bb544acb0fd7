"""Who may send and who must be suspended, as a table and as laws over all organizations."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import DomainError, ErrorReason
from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from services.telephony.domain.commands import (
    LiftOperatorBlock,
    ObserveSubscription,
    ObserveWallet,
    Reevaluate,
    SetOperatorBlock,
)
from services.telephony.domain.decision import (
    SUSPENDING_BLOCKERS,
    blockers,
    decide,
    sending_blockers,
    wanted_state,
)
from services.telephony.domain.values import (
    Blocker,
    ObservedState,
    OperatorBlock,
    Organization,
    WantedState,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
BEFORE = NOW - timedelta(microseconds=1)
BLOCK = OperatorBlock("fraud?", "ana", NOW)


def subscription(
    *, good_standing: bool = True, good_until: datetime | None = LATER, revision: int = 1
) -> SubscriptionLevel:
    state = SubscriptionState.ACTIVE if good_standing else SubscriptionState.PAST_DUE
    return SubscriptionLevel(revision, state, good_standing, good_until)


def wallet(
    *, frozen: bool = False, depleted: bool = False, owing_micros: int = 0, revision: int = 1
) -> WalletLevel:
    return WalletLevel(
        revision=revision,
        frozen=frozen,
        freeze_reasons=("OPERATOR",) if frozen else (),
        depleted=depleted,
        depleted_since=NOW if depleted else None,
        owing_micros=owing_micros,
        currency_code="USD",
    )


def organization(
    known_subscription: SubscriptionLevel | None = None,
    known_wallet: WalletLevel | None = None,
    operator_block: OperatorBlock | None = None,
) -> Organization:
    return Organization("org-1", operator_block, known_subscription, known_wallet)


GOOD, BAD, LAPSED = (
    subscription(),
    subscription(good_standing=False),
    subscription(good_until=NOW),
)
RICH, FROZEN, EMPTY = wallet(), wallet(frozen=True), wallet(depleted=True)
OWING = wallet(owing_micros=1)
ACTIVE, SUSPENDED = WantedState.ACTIVE, WantedState.SUSPENDED

TRUTH_TABLE = [
    (organization(GOOD, RICH), ACTIVE, ()),
    (organization(), None, (Blocker.LEVELS_MISSING,)),
    (organization(GOOD), None, (Blocker.LEVELS_MISSING,)),
    (organization(None, RICH), None, (Blocker.LEVELS_MISSING,)),
    (organization(None, EMPTY), None, (Blocker.WALLET_DEPLETED, Blocker.LEVELS_MISSING)),
    (organization(GOOD, EMPTY), ACTIVE, (Blocker.WALLET_DEPLETED,)),
    (organization(GOOD, FROZEN), SUSPENDED, (Blocker.WALLET_FROZEN,)),
    (organization(None, FROZEN), SUSPENDED, (Blocker.WALLET_FROZEN, Blocker.LEVELS_MISSING)),
    (organization(GOOD, OWING), SUSPENDED, (Blocker.DEBT_OWED,)),
    (organization(None, OWING), SUSPENDED, (Blocker.DEBT_OWED, Blocker.LEVELS_MISSING)),
    (organization(BAD, RICH), SUSPENDED, (Blocker.SUBSCRIPTION_INACTIVE,)),
    (organization(BAD), SUSPENDED, (Blocker.SUBSCRIPTION_INACTIVE, Blocker.LEVELS_MISSING)),
    (organization(LAPSED, RICH), SUSPENDED, (Blocker.SUBSCRIPTION_INACTIVE,)),
    (
        organization(subscription(good_until=None), RICH),
        SUSPENDED,
        (Blocker.SUBSCRIPTION_INACTIVE,),
    ),
    (organization(GOOD, RICH, BLOCK), SUSPENDED, (Blocker.OPERATOR_BLOCK,)),
    (
        organization(operator_block=BLOCK),
        SUSPENDED,
        (Blocker.OPERATOR_BLOCK, Blocker.LEVELS_MISSING),
    ),
    (
        organization(BAD, wallet(frozen=True, depleted=True, owing_micros=5), BLOCK),
        SUSPENDED,
        (
            Blocker.SUBSCRIPTION_INACTIVE,
            Blocker.WALLET_FROZEN,
            Blocker.WALLET_DEPLETED,
            Blocker.DEBT_OWED,
            Blocker.OPERATOR_BLOCK,
        ),
    ),
]


@pytest.mark.parametrize(("known", "wanted", "found"), TRUTH_TABLE)
def test_what_is_wanted_and_what_blocks(
    known: Organization, wanted: WantedState | None, found: tuple[Blocker, ...]
) -> None:
    assert wanted_state(known, NOW) == wanted
    assert blockers(known, NOW) == found


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ("ACTIVE", ()),
        ("ACTIVE ACTIVE CLOSED", ()),
        ("ACTIVE SUSPENDED", (Blocker.SUBACCOUNT_NOT_ACTIVE,)),
        ("ACTIVE UNKNOWN", (Blocker.SUBACCOUNT_NOT_ACTIVE,)),
        ("", (Blocker.SUBACCOUNT_MISSING,)),
        ("CLOSED CLOSED", (Blocker.SUBACCOUNT_MISSING,)),
    ],
)
def test_every_living_subaccount_in_scope_must_be_active(
    states: str, found: tuple[Blocker, ...]
) -> None:
    observed = [ObservedState(state) for state in states.split()]
    assert sending_blockers(organization(GOOD, RICH), observed, NOW) == found


subscriptions = st.builds(
    subscription,
    good_standing=st.booleans(),
    good_until=st.sampled_from([None, BEFORE, NOW, LATER]),
)
wallets = st.builds(
    wallet, frozen=st.booleans(), depleted=st.booleans(), owing_micros=st.sampled_from([0, 1])
)
organizations = st.builds(
    organization,
    st.none() | subscriptions,
    st.none() | wallets,
    st.none() | st.just(BLOCK),
)
observed_states = st.lists(st.sampled_from(ObservedState), max_size=4)
commands = st.one_of(
    st.builds(ObserveSubscription, subscriptions.map(lambda level: replace(level, revision=2))),
    st.builds(ObserveWallet, wallets.map(lambda level: replace(level, revision=2))),
    st.builds(SetOperatorBlock, st.just("note"), st.just("actor")),
    st.just(LiftOperatorBlock("", "")),
    st.just(Reevaluate()),
)


@given(organizations, observed_states)
def test_who_may_send_is_wanted_active_and_is_active(
    known: Organization, observed: list[ObservedState]
) -> None:
    if not sending_blockers(known, observed, NOW):
        assert wanted_state(known, NOW) is ACTIVE
        assert ObservedState.ACTIVE in observed
        assert set(observed) <= {ObservedState.ACTIVE, ObservedState.CLOSED}


@given(organizations, observed_states)
def test_to_know_less_never_lets_anyone_send(
    known: Organization, observed: list[ObservedState]
) -> None:
    for forgetful in (replace(known, subscription=None), replace(known, wallet=None)):
        assert Blocker.LEVELS_MISSING in sending_blockers(forgetful, observed, NOW)
        assert wanted_state(forgetful, NOW) is not ACTIVE


@given(organizations)
def test_suspended_is_wanted_exactly_where_a_suspending_blocker_holds(known: Organization) -> None:
    suspending = SUSPENDING_BLOCKERS.intersection(blockers(known, NOW))
    assert (wanted_state(known, NOW) is SUSPENDED) == bool(suspending)


@given(organizations, commands, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_time_changes_what_is_wanted_only_at_the_time_that_is_kept(
    known: Organization, command: ObserveSubscription, passed: timedelta
) -> None:
    settled = decide(known, command, NOW)
    lapsed = settled.reevaluate_time is not None and NOW + passed >= settled.reevaluate_time
    expected = SUSPENDED if lapsed else wanted_state(settled, NOW)
    assert wanted_state(settled, NOW + passed) == expected


@given(organizations, commands)
def test_a_command_that_is_repeated_changes_nothing(
    known: Organization, command: ObserveSubscription
) -> None:
    once = decide(known, command, NOW)
    assert decide(once, command, NOW) == once


def test_an_old_level_is_not_taken() -> None:
    known = organization(subscription(good_standing=False, revision=5), RICH)
    assert decide(known, ObserveSubscription(subscription(revision=4)), NOW).subscription == (
        known.subscription
    )


def test_the_same_revision_with_other_content_is_refused() -> None:
    with pytest.raises(DomainError) as refused:
        decide(organization(BAD, RICH), ObserveSubscription(GOOD), NOW)
    assert refused.value.reason is ErrorReason.REFERENCE_CONFLICT


def test_the_first_block_stays_and_lifting_leaves_what_else_blocks() -> None:
    blocked = decide(organization(GOOD, FROZEN, BLOCK), SetOperatorBlock("again", "bob"), LATER)
    assert blocked.operator_block == BLOCK
    lifted = decide(blocked, LiftOperatorBlock("", ""), NOW)
    assert blockers(lifted, NOW) == (Blocker.WALLET_FROZEN,)
