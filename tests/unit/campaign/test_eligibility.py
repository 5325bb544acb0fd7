"""The pure rules: what blocks an organization, and what becomes of its campaigns by that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from services.campaign.domain.commands import (
    ObserveSubscription,
    ObserveWallet,
    OrganizationCommand,
    PauseCampaign,
    PauseOrganization,
    ResumeCampaign,
    ResumeOrganization,
)
from services.campaign.domain.decision import decide_campaign, decide_organization
from services.campaign.domain.settling import settle
from services.campaign.domain.values import (
    Campaign,
    CampaignState,
    Organization,
    Pause,
    PauseReason,
    Stage,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PAUSE = Pause(note="", actor="", create_time=NOW)


def subscription(
    *, good: bool, until: datetime | None = LATER, revision: int = 1
) -> SubscriptionLevel:
    state = SubscriptionState.ACTIVE if good else SubscriptionState.SUSPENDED
    return SubscriptionLevel(revision, state, good, until)


def wallet(
    *, frozen: bool = False, depleted: bool = False, owing_micros: int = 0, revision: int = 1
) -> WalletLevel:
    return WalletLevel(revision, frozen, (), depleted, None, owing_micros, "USD")


def campaign(stage: Stage = Stage.STARTED, manual_pause: Pause | None = None) -> Campaign:
    return Campaign(
        campaign_id="spring",
        organization_id="org-1",
        brand_id="brand-1",
        name="",
        stage=stage,
        manual_pause=manual_pause,
        pause_time=PAUSE.create_time if manual_pause else None,
        create_time=NOW,
        update_time=NOW,
    )


# Each row: what is known, and what it blocks by.
PAUSES = [(None, []), (PAUSE, ["ORGANIZATION_PAUSE"])]
SUBSCRIPTIONS = [
    (None, ["SUBSCRIPTION_INACTIVE"]),
    (subscription(good=True), []),
    (subscription(good=True, until=NOW + timedelta(microseconds=1)), []),
    (subscription(good=True, until=NOW), ["SUBSCRIPTION_INACTIVE"]),
    (subscription(good=True, until=NOW - timedelta(days=1)), ["SUBSCRIPTION_INACTIVE"]),
    (subscription(good=True, until=None), ["SUBSCRIPTION_INACTIVE"]),
    (subscription(good=False), ["SUBSCRIPTION_INACTIVE"]),
    (subscription(good=False, until=None), ["SUBSCRIPTION_INACTIVE"]),
]
WALLETS = [
    (None, ["WALLET_DEPLETED"]),
    (wallet(), []),
    (wallet(owing_micros=1), []),
    (wallet(frozen=True), ["WALLET_FROZEN"]),
    (wallet(depleted=True), ["WALLET_DEPLETED"]),
    (wallet(frozen=True, depleted=True), ["WALLET_FROZEN", "WALLET_DEPLETED"]),
]
ORGANIZATIONS = [
    (
        Organization("org-1", pause=pause[0], subscription=level[0], wallet=money[0]),
        [*pause[1], *level[1], *money[1]],
    )
    for pause, level, money in product(PAUSES, SUBSCRIPTIONS, WALLETS)
]


@pytest.mark.parametrize(("organization", "blockers"), ORGANIZATIONS)
def test_an_organization_is_eligible_when_nothing_blocks_it(
    organization: Organization, blockers: list[str]
) -> None:
    eligibility = organization.eligibility_at(NOW)

    assert list(eligibility.blockers) == blockers
    assert eligibility.eligible == (not blockers)


@pytest.mark.parametrize(("organization", "blockers"), ORGANIZATIONS)
@pytest.mark.parametrize("manual_pause", [None, PAUSE])
def test_a_started_campaign_runs_when_nothing_blocks_it(
    organization: Organization, blockers: list[str], manual_pause: Pause | None
) -> None:
    manual = ["MANUAL_PAUSE"] if manual_pause else []

    settled = settle(campaign(manual_pause=manual_pause), organization, NOW)

    assert list(settled.blockers) == [*manual, *blockers]
    assert settled.state == ("PAUSED" if settled.blockers else "RUNNING")
    assert settled.pause_reason == (settled.blockers[0] if settled.blockers else None)
    assert settled.pause_time == (NOW if settled.blockers else None)


@pytest.mark.parametrize(("organization", "blockers"), ORGANIZATIONS)
def test_a_draft_stays_one_and_tells_what_would_keep_it_from_starting(
    organization: Organization, blockers: list[str]
) -> None:
    settled = settle(campaign(Stage.DRAFT), organization, NOW)

    assert settled.state is CampaignState.DRAFT
    assert list(settled.blockers) == blockers
    assert settled.pause_reason is None


@pytest.mark.parametrize(("organization", "blockers"), ORGANIZATIONS)
def test_nothing_moves_a_completed_campaign(
    organization: Organization, blockers: list[str]
) -> None:
    settled = settle(campaign(Stage.COMPLETED), organization, NOW)

    assert settled.state is CampaignState.COMPLETED
    assert settled.blockers == ()


def test_the_reasons_stand_in_the_order_in_which_they_are_shown() -> None:
    assert list(PauseReason) == [
        "MANUAL_PAUSE",
        "EMERGENCY_STOP",
        "ORGANIZATION_PAUSE",
        "SUBSCRIPTION_INACTIVE",
        "WALLET_FROZEN",
        "WALLET_DEPLETED",
    ]


def test_a_lapse_counts_from_its_own_time() -> None:
    organization = Organization(
        "org-1", subscription=subscription(good=True), wallet=wallet()
    ).settled_at(NOW)
    running = settle(campaign(), organization, NOW)

    lapsed = settle(running, organization, LATER + timedelta(minutes=5))

    assert running.state is CampaignState.RUNNING
    assert lapsed.pause_reason is PauseReason.SUBSCRIPTION_INACTIVE
    assert lapsed.pause_time == lapsed.update_time == LATER


@pytest.mark.parametrize(
    "level",
    [None, subscription(good=False), subscription(good=True, until=NOW)],
)
def test_only_good_news_expires(level: SubscriptionLevel | None) -> None:
    organization = Organization("org-1", subscription=level, wallet=wallet()).settled_at(NOW)

    assert organization.reevaluate_time is None


Command = OrganizationCommand | PauseCampaign | ResumeCampaign

COMMANDS = st.one_of(
    st.builds(
        ObserveSubscription,
        st.builds(subscription, good=st.booleans(), until=st.sampled_from([NOW, LATER, None])),
    ),
    st.builds(ObserveWallet, st.builds(wallet, frozen=st.booleans(), depleted=st.booleans())),
    st.just(PauseOrganization("", "")),
    st.just(ResumeOrganization("")),
    st.just(PauseCampaign("", "")),
    st.just(ResumeCampaign("")),
)


def numbered(commands: list[Command]) -> list[Command]:
    """Give each level a revision of its own."""
    return [with_revision(command, number) for number, command in enumerate(commands, start=1)]


def with_revision(command: Command, revision: int) -> Command:
    match command:
        case ObserveSubscription():
            return ObserveSubscription(replace(command.level, revision=revision))
        case ObserveWallet():
            return ObserveWallet(replace(command.level, revision=revision))
        case _:
            return command


def play(commands: list[Command]) -> Campaign:
    """Carry out the commands, one a minute, as the operations do."""
    organization, played = Organization("org-1"), campaign()
    for minute, command in enumerate(commands):
        now = NOW - timedelta(minutes=len(commands) - minute)
        played = settle(played, organization, now)
        if isinstance(command, PauseCampaign | ResumeCampaign):
            played = decide_campaign(played, command, now)
        else:
            organization = decide_organization(organization, command, now).settled_at(now)
            played = settle(played, organization, now)
    return settle(played, organization, NOW)


def last(commands: list[Command], *kinds: type[Command]) -> Command | None:
    return next((each for each in reversed(commands) if isinstance(each, kinds)), None)


@given(st.lists(COMMANDS, max_size=20).map(numbered))
def test_only_the_last_of_each_kind_decides(commands: list[Command]) -> None:
    played = play(commands)

    subscribed = last(commands, ObserveSubscription)
    level = subscribed.level if isinstance(subscribed, ObserveSubscription) else None
    filled = last(commands, ObserveWallet)
    money = filled.level if isinstance(filled, ObserveWallet) else None
    blockers = {
        "MANUAL_PAUSE": isinstance(last(commands, PauseCampaign, ResumeCampaign), PauseCampaign),
        "ORGANIZATION_PAUSE": isinstance(
            last(commands, PauseOrganization, ResumeOrganization), PauseOrganization
        ),
        "SUBSCRIPTION_INACTIVE": not (level and level.good_standing and level.good_until == LATER),
        "WALLET_FROZEN": bool(money and money.frozen),
        "WALLET_DEPLETED": not money or money.depleted,
    }
    assert list(played.blockers) == [name for name, holds in blockers.items() if holds]
    assert played.state == ("PAUSED" if any(blockers.values()) else "RUNNING")
    assert (played.pause_time is None) == (played.state is CampaignState.RUNNING)


@given(st.data())
def test_levels_may_come_late_doubled_and_in_any_order(data: st.DataObject) -> None:
    levels = numbered(data.draw(st.lists(COMMANDS, max_size=8)))
    told = [each for each in levels if isinstance(each, ObserveSubscription | ObserveWallet)]
    doubled = told + data.draw(st.lists(st.sampled_from(told)) if told else st.just([]))

    in_order = play([*told])
    shuffled = play([*data.draw(st.permutations(doubled))])

    assert shuffled.blockers == in_order.blockers
    assert shuffled.state is in_order.state
