"""The pure rules: what blocks an organization, and what becomes of its campaigns by that."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from services.campaign.domain.commands import (
    ChangeStop,
    ObserveSubscription,
    ObserveWallet,
    OrganizationCommand,
    PauseCampaign,
    PauseOrganization,
    ResumeCampaign,
    ResumeOrganization,
)
from services.campaign.domain.decision import decide_campaign, decide_organization
from services.campaign.domain.settling import settle, steps_until
from services.campaign.domain.values import (
    NEVER_STOPPED,
    Campaign,
    CampaignState,
    EmergencyStop,
    Organization,
    Pause,
    PauseReason,
    Stage,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SOON = NOW + timedelta(microseconds=1)
EARLIER = NOW - timedelta(days=1)
PAUSE = Pause(note="", actor="", create_time=NOW)
INACTIVE = ("SUBSCRIPTION_INACTIVE",)


def stop(number: int, change_time: datetime = NOW) -> EmergencyStop:
    return EmergencyStop(number, "wrong prices", "eve", change_time)


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


@dataclass(frozen=True)
class Row:
    """A fact as it is, and what it blocks with: a row of the truth table."""

    fact: str
    as_it_is: str
    value: Any
    blockers: tuple[str, ...] = ()


# The truth table of eligibility: docs/state_machines.md shows it.
ROWS = (
    Row("manual pause", "none", None),
    Row("manual pause", "set", PAUSE, ("MANUAL_PAUSE",)),
    Row("emergency stop", "never set", NEVER_STOPPED),
    Row("emergency stop", "set", stop(1), ("EMERGENCY_STOP",)),
    Row("emergency stop", "lifted", stop(2)),
    Row("organization's pause", "none", None),
    Row("organization's pause", "set", PAUSE, ("ORGANIZATION_PAUSE",)),
    Row("subscription level", "unknown", None, INACTIVE),
    Row("subscription level", "good, good_until ahead", subscription(good=True, until=SOON)),
    Row("subscription level", "good, good_until now", subscription(good=True, until=NOW), INACTIVE),
    Row(
        "subscription level",
        "good, good_until passed",
        subscription(good=True, until=EARLIER),
        INACTIVE,
    ),
    Row("subscription level", "good, no good_until", subscription(good=True, until=None), INACTIVE),
    Row("subscription level", "not good, good_until ahead", subscription(good=False), INACTIVE),
    Row(
        "subscription level",
        "not good, no good_until",
        subscription(good=False, until=None),
        INACTIVE,
    ),
    Row("wallet level", "unknown", None, ("WALLET_DEPLETED",)),
    Row("wallet level", "money is there", wallet()),
    Row("wallet level", "a debt is owed", wallet(owing_micros=1)),
    Row("wallet level", "frozen", wallet(frozen=True), ("WALLET_FROZEN",)),
    Row("wallet level", "depleted", wallet(depleted=True), ("WALLET_DEPLETED",)),
    Row(
        "wallet level",
        "frozen and depleted",
        wallet(frozen=True, depleted=True),
        ("WALLET_FROZEN", "WALLET_DEPLETED"),
    ),
)
IN_DOCS = re.compile(r"^\| ([a-z' ]+) \| ([a-z_, ]+) \| ([A-Z_, ]*)\|$", re.MULTILINE)


def rows_of(fact: str) -> list[Row]:
    return [row for row in ROWS if row.fact == fact]


# Every combination of what can be known of an organization, and what it is blocked by then.
ORGANIZATIONS = [
    (
        Organization(
            "org-1",
            stop=stopped.value,
            settled_stop_number=stopped.value.number,
            pause=paused.value,
            subscription=subscribed.value,
            wallet=filled.value,
        ),
        [*stopped.blockers, *paused.blockers, *subscribed.blockers, *filled.blockers],
    )
    for stopped, paused, subscribed, filled in product(
        rows_of("emergency stop"),
        rows_of("organization's pause"),
        rows_of("subscription level"),
        rows_of("wallet level"),
    )
]


def test_the_truth_table_in_the_docs_is_the_one_that_is_tested() -> None:
    text = (Path(__file__).parents[3] / "docs" / "state_machines.md").read_text()

    told = [(fact, as_it_is, blocks.strip()) for fact, as_it_is, blocks in IN_DOCS.findall(text)]

    assert told == [(row.fact, row.as_it_is, ", ".join(row.blockers)) for row in ROWS]


def test_an_organization_is_eligible_when_nothing_blocks_it() -> None:
    for organization, blockers in ORGANIZATIONS:
        eligibility = organization.eligibility_at(NOW)

        assert list(eligibility.blockers) == blockers, organization
        assert eligibility.eligible == (not blockers)


@pytest.mark.parametrize("manual", rows_of("manual pause"), ids=lambda row: row.as_it_is)
def test_a_started_campaign_runs_when_nothing_blocks_it(manual: Row) -> None:
    for organization, blockers in ORGANIZATIONS:
        settled = settle(campaign(manual_pause=manual.value), organization, NOW)

        assert list(settled.blockers) == [*manual.blockers, *blockers], organization
        assert settled.state == ("PAUSED" if settled.blockers else "RUNNING")
        assert settled.pause_reason == (settled.blockers[0] if settled.blockers else None)
        assert settled.pause_time == (NOW if settled.blockers else None)


def test_a_draft_stays_one_and_tells_what_would_keep_it_from_starting() -> None:
    for organization, blockers in ORGANIZATIONS:
        settled = settle(campaign(Stage.DRAFT), organization, NOW)

        assert settled.state is CampaignState.DRAFT
        assert list(settled.blockers) == blockers, organization
        assert settled.pause_reason is None


def test_nothing_moves_a_completed_campaign() -> None:
    for organization, _ in ORGANIZATIONS:
        settled = settle(campaign(Stage.COMPLETED), organization, NOW)

        assert settled.state is CampaignState.COMPLETED, organization
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


Command = OrganizationCommand | PauseCampaign | ResumeCampaign | ChangeStop

COMMANDS = st.one_of(
    st.builds(
        ObserveSubscription,
        st.builds(subscription, good=st.booleans(), until=st.sampled_from([NOW, LATER, None])),
    ),
    st.builds(ObserveWallet, st.builds(wallet, frozen=st.booleans(), depleted=st.booleans())),
    st.builds(ChangeStop, stands=st.booleans(), note=st.just(""), actor=st.just("")),
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


def play(commands: list[Command], settled_late: Collection[int] = ()) -> Campaign:
    """Carry out the commands, one a minute, as the operations do.

    An organization is settled under a changed stop before the next command, or when that comes.
    """
    organization, played = Organization("org-1"), campaign()
    for minute, command in enumerate(commands):
        now = NOW - timedelta(minutes=len(commands) - minute)
        organization, played = let_pass(organization, played, now)
        match command:
            case PauseCampaign() | ResumeCampaign():
                played = decide_campaign(played, command, now)
            case ChangeStop():
                organization = change_stop(organization, command, now)
                if minute not in settled_late:
                    organization, played = let_pass(organization, played, now)
            case _:
                organization = decide_organization(organization, command, now).settled_at(now)
                played = settle(played, organization, now)
    return settle(played, organization, NOW)


def let_pass(
    organization: Organization, played: Campaign, now: datetime
) -> tuple[Organization, Campaign]:
    steps = steps_until(organization, now)
    return (steps[-1].organization if steps else organization), settle(played, organization, now)


def change_stop(organization: Organization, command: ChangeStop, now: datetime) -> Organization:
    held = organization.stop
    if held.stands == command.stands:
        return organization
    return replace(organization, stop=stop(held.number + 1, now))


def last(commands: list[Command], *kinds: type[Command]) -> Command | None:
    return next((each for each in reversed(commands) if isinstance(each, kinds)), None)


@given(st.lists(COMMANDS, max_size=20).map(numbered), st.sets(st.integers(0, 20)))
def test_only_the_last_of_each_kind_decides(
    commands: list[Command], settled_late: set[int]
) -> None:
    played = play(commands, settled_late)

    subscribed = last(commands, ObserveSubscription)
    level = subscribed.level if isinstance(subscribed, ObserveSubscription) else None
    filled = last(commands, ObserveWallet)
    money = filled.level if isinstance(filled, ObserveWallet) else None
    stopped = last(commands, ChangeStop)
    blockers = {
        "MANUAL_PAUSE": isinstance(last(commands, PauseCampaign, ResumeCampaign), PauseCampaign),
        "EMERGENCY_STOP": isinstance(stopped, ChangeStop) and stopped.stands,
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


def running(**facts: Any) -> Organization:
    """An organization that was settled while nothing blocked it."""
    known = Organization("org-1", subscription=subscription(good=True), wallet=wallet(), **facts)
    return known.settled_at(EARLIER)


def test_what_is_found_late_counts_in_the_order_of_its_times() -> None:
    now = LATER + timedelta(hours=2)
    for stop_time, causes in (
        (LATER - timedelta(minutes=1), ["EMERGENCY_STOP", "TIME"]),
        (LATER + timedelta(minutes=1), ["TIME", "EMERGENCY_STOP"]),
    ):
        organization = replace(running(), stop=stop(1, stop_time))

        found = steps_until(organization, now)

        assert [step.origin.cause for step in found] == causes
        assert [step.time for step in found] == sorted([stop_time, LATER])
        assert settle(campaign(), organization, now).pause_time == min(stop_time, LATER)
        assert steps_until(found[-1].organization, now) == []


def test_of_a_stop_that_was_set_and_lifted_meanwhile_nothing_is_left() -> None:
    organization = replace(running(), stop=stop(2))

    (step,) = steps_until(organization, NOW)

    assert step.pause_reason is None
    assert settle(campaign(), organization, NOW) == campaign()


def test_a_stop_that_was_lifted_and_set_again_has_held_all_the_time() -> None:
    first = replace(running(), stop=stop(1, EARLIER))
    (step,) = steps_until(first, NOW)
    paused = settle(campaign(), first, NOW)

    again = settle(paused, replace(step.organization, stop=stop(3, NOW)), NOW)

    assert again == paused
    assert again.pause_reason is PauseReason.EMERGENCY_STOP


def test_nothing_that_is_found_late_began_before_the_last_change() -> None:
    changed_later = replace(campaign(), update_time=LATER)

    settled = settle(changed_later, replace(running(), stop=stop(1, NOW)), LATER)

    assert settled.pause_time == settled.update_time == LATER


@pytest.mark.parametrize(
    ("organization", "manual_pause", "note"),
    [
        (running(), None, ""),
        (running(stop=stop(1)), None, "wrong prices"),
        (running(pause=Pause("complaints", "ann", NOW)), None, "complaints"),
        (running(stop=stop(1), pause=Pause("complaints", "ann", NOW)), None, "wrong prices"),
        (running(stop=stop(1)), Pause("wrong text", "ann", NOW), "wrong text"),
        (Organization("org-1"), None, ""),
    ],
)
def test_the_note_is_that_of_whoever_set_the_reason_that_is_shown(
    organization: Organization, manual_pause: Pause | None, note: str
) -> None:
    settled = settle(campaign(manual_pause=manual_pause), organization, NOW)

    assert settled.note == note
    assert settle(campaign(Stage.DRAFT), organization, NOW).note == ""
