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
    ALWAYS_SUSPENDING,
    blockers,
    decide,
    sending_blockers,
    suspending_blockers,
    wanted_state,
)
from services.telephony.domain.values import (
    Blocker,
    ObservedState,
    OperatorBlock,
    Organization,
    SuspensionPolicy,
    WantedState,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
BEFORE = NOW - timedelta(microseconds=1)
BLOCK = OperatorBlock("fraud?", "ana", NOW)
HOUR = timedelta(hours=1)
STRICT = SuspensionPolicy()
PATIENT = SuspensionPolicy(debt_tolerance_micros=100, suspend_depleted_after=HOUR)


def subscription(
    *, good_standing: bool = True, good_until: datetime | None = LATER, revision: int = 1
) -> SubscriptionLevel:
    state = SubscriptionState.ACTIVE if good_standing else SubscriptionState.PAST_DUE
    return SubscriptionLevel(revision, state, good_standing, good_until)


def wallet(
    *,
    frozen: bool = False,
    depleted: bool = False,
    depleted_since: datetime | None = NOW,
    owing_micros: int = 0,
    revision: int = 1,
) -> WalletLevel:
    return WalletLevel(
        revision=revision,
        frozen=frozen,
        freeze_reasons=("OPERATOR",) if frozen else (),
        depleted=depleted,
        depleted_since=depleted_since if depleted else None,
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
    assert wanted_state(known, STRICT, NOW) == wanted
    assert blockers(known, NOW) == found


DEPLETED_LONG, DEPLETED_SHORT = (
    wallet(depleted=True, depleted_since=NOW - HOUR),
    wallet(depleted=True, depleted_since=NOW - HOUR + timedelta(microseconds=1)),
)


@pytest.mark.parametrize(
    ("known", "strict", "patient"),
    [
        (organization(GOOD, wallet(owing_micros=100)), SUSPENDED, ACTIVE),
        (organization(GOOD, wallet(owing_micros=101)), SUSPENDED, SUSPENDED),
        (organization(None, wallet(owing_micros=100)), SUSPENDED, None),
        (organization(BAD, wallet(owing_micros=100)), SUSPENDED, SUSPENDED),
        (organization(GOOD, DEPLETED_SHORT), ACTIVE, ACTIVE),
        (organization(GOOD, DEPLETED_LONG), ACTIVE, SUSPENDED),
        (organization(None, DEPLETED_LONG), None, SUSPENDED),
        (organization(GOOD, wallet(depleted=True, depleted_since=None)), ACTIVE, ACTIVE),
        (organization(GOOD, RICH), ACTIVE, ACTIVE),
    ],
)
def test_a_policy_says_which_debts_and_how_long_a_depletion_are_borne(
    known: Organization, strict: WantedState | None, patient: WantedState | None
) -> None:
    assert wanted_state(known, STRICT, NOW) == strict
    assert wanted_state(known, PATIENT, NOW) == patient


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
    wallet,
    frozen=st.booleans(),
    depleted=st.booleans(),
    depleted_since=st.sampled_from([None, NOW - HOUR, BEFORE, NOW]),
    owing_micros=st.sampled_from([0, 1, 101]),
)
policies = st.sampled_from([STRICT, PATIENT])
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


@given(organizations, observed_states, policies)
def test_who_may_send_is_wanted_active_and_is_active(
    known: Organization, observed: list[ObservedState], policy: SuspensionPolicy
) -> None:
    if not sending_blockers(known, observed, NOW):
        assert wanted_state(known, policy, NOW) is ACTIVE
        assert ObservedState.ACTIVE in observed
        assert set(observed) <= {ObservedState.ACTIVE, ObservedState.CLOSED}


@given(organizations, observed_states, policies)
def test_to_know_less_never_lets_anyone_send(
    known: Organization, observed: list[ObservedState], policy: SuspensionPolicy
) -> None:
    for forgetful in (replace(known, subscription=None), replace(known, wallet=None)):
        assert Blocker.LEVELS_MISSING in sending_blockers(forgetful, observed, NOW)
        assert wanted_state(forgetful, policy, NOW) is not ACTIVE


@given(organizations, policies)
def test_suspended_is_wanted_exactly_where_a_suspending_blocker_holds(
    known: Organization, policy: SuspensionPolicy
) -> None:
    suspending = suspending_blockers(known, policy, NOW)
    assert (wanted_state(known, policy, NOW) is SUSPENDED) == bool(suspending)
    assert ALWAYS_SUSPENDING.intersection(blockers(known, NOW)) <= suspending
    # What is borne still forbids sending.
    assert suspending <= set(blockers(known, NOW))


@given(organizations, commands, policies, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_time_changes_what_is_wanted_only_at_the_time_that_is_kept(
    known: Organization, command: ObserveSubscription, policy: SuspensionPolicy, passed: timedelta
) -> None:
    settled = decide(known, command, policy, NOW)
    lapsed = settled.reevaluate_time is not None and NOW + passed >= settled.reevaluate_time
    expected = SUSPENDED if lapsed else wanted_state(settled, policy, NOW)
    assert wanted_state(settled, policy, NOW + passed) == expected


@given(organizations, commands, policies)
def test_a_command_that_is_repeated_changes_nothing(
    known: Organization, command: ObserveSubscription, policy: SuspensionPolicy
) -> None:
    once = decide(known, command, policy, NOW)
    assert decide(once, command, policy, NOW) == once


def test_an_old_level_is_not_taken() -> None:
    known = organization(subscription(good_standing=False, revision=5), RICH)
    old = ObserveSubscription(subscription(revision=4))
    assert decide(known, old, STRICT, NOW).subscription == known.subscription


def test_the_same_revision_with_other_content_is_refused() -> None:
    with pytest.raises(DomainError) as refused:
        decide(organization(BAD, RICH), ObserveSubscription(GOOD), STRICT, NOW)
    assert refused.value.reason is ErrorReason.REFERENCE_CONFLICT


def test_the_first_block_stays_and_lifting_leaves_what_else_blocks() -> None:
    known = organization(GOOD, FROZEN, BLOCK)
    blocked = decide(known, SetOperatorBlock("again", "bob"), STRICT, LATER)
    assert blocked.operator_block == BLOCK
    lifted = decide(blocked, LiftOperatorBlock("", ""), STRICT, NOW)
    assert blockers(lifted, NOW) == (Blocker.WALLET_FROZEN,)


def test_who_is_depleted_is_looked_at_again_when_it_has_lasted_for_too_long() -> None:
    empty = ObserveWallet(wallet(depleted=True, revision=2))
    known = decide(organization(GOOD, RICH), empty, PATIENT, NOW)
    assert known.reevaluate_time == NOW + HOUR
    assert decide(known, Reevaluate(), PATIENT, NOW + HOUR).reevaluate_time == LATER
    assert decide(known, Reevaluate(), STRICT, NOW).reevaluate_time == LATER
