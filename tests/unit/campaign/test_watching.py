"""Whatever changes while a watcher is told page by page, it ends with everything as it stands."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from services.campaign.domain.settling import settle
from services.campaign.domain.values import Campaign, Organization, Pause, Stage
from services.campaign.domain.watching import Progress, Sight

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PAUSE = Pause("wrong text", "ann", START)
PAGE_SIZE = 2
LOOKS_MAX = 20


@dataclass
class World:
    """One organization as the database would hold it, and what is done to it."""

    now: datetime = START
    organization: Organization = field(default_factory=lambda: eligible(START + 3 * MINUTE))
    stored: dict[str, Campaign] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def look(self, progress: Progress) -> Sight:
        found = sorted(
            (revision, campaign_id)
            for campaign_id, revision in self.revisions.items()
            if revision > progress.revision
            if revision > progress.revision_ever or not self.is_completed(campaign_id)
        )
        page = found[:PAGE_SIZE]
        return Sight(
            self.organization,
            [self.stands(campaign_id) for _, campaign_id in page],
            page[-1][0] if page else 0,
            len(page) == PAGE_SIZE,
            self.now,
        )

    def stands(self, campaign_id: str) -> Campaign:
        return settle(self.stored[campaign_id], self.organization, self.now)

    def is_completed(self, campaign_id: str) -> bool:
        return self.stored[campaign_id].stage is Stage.COMPLETED

    def change(self, campaign_id: str, stage: Stage, pause: Pause | None) -> None:
        """Make a campaign, or change one; what was COMPLETED stays so."""
        if campaign_id in self.stored and self.is_completed(campaign_id):
            return
        made = new_campaign(campaign_id, self.now)
        changed = replace(self.stored.get(campaign_id, made), stage=stage, manual_pause=pause)
        self.stored[campaign_id] = settle(changed, self.organization, self.now)
        self.revisions[campaign_id] = next(self.numbers)

    def block(self, *, paused: bool, frozen: bool) -> None:
        pause = replace(PAUSE, create_time=self.now) if paused else None
        wallet = replace(wallet_level(), frozen=frozen)
        self.settle(replace(self.organization, pause=pause, wallet=wallet))

    def change_stop(self) -> None:
        """As PauseAllCampaigns does, or ResumeAllCampaigns: nothing is settled yet."""
        stop = self.organization.stop
        stop = replace(stop, number=stop.number + 1, change_time=self.now)
        self.organization = replace(self.organization, stop=stop)

    def settle(self, organization: Organization | None = None) -> None:
        """Store how campaigns stand now; of those that look the same nothing is written."""
        self.organization = (organization or self.organization).settled_at(self.now)
        for campaign_id, before in self.stored.items():
            after = self.stands(campaign_id)
            if (after.state, after.pause_reason) != (before.state, before.pause_reason):
                self.revisions[campaign_id] = next(self.numbers)
            self.stored[campaign_id] = after

    def pass_time(self) -> None:
        self.now += MINUTE


def eligible(until: datetime) -> Organization:
    level = SubscriptionLevel(1, SubscriptionState.ACTIVE, good_standing=True, good_until=until)
    return Organization("org-1", subscription=level, wallet=wallet_level()).settled_at(START)


def wallet_level() -> WalletLevel:
    return WalletLevel(
        1,
        frozen=False,
        freeze_reasons=(),
        depleted=False,
        depleted_since=None,
        owing_micros=0,
        currency_code="USD",
    )


def new_campaign(campaign_id: str, now: datetime) -> Campaign:
    return Campaign(campaign_id, "org-1", "brand-1", "", Stage.DRAFT, None, None, now, now)


def shown(campaign: Campaign) -> tuple[object, ...]:
    """Return what is told of a campaign, of all that may change."""
    return (
        campaign.state,
        campaign.blockers,
        campaign.note,
        campaign.pause_time,
        campaign.update_time,
    )


@dataclass
class Watcher:
    """Keeps the last it was told of each campaign."""

    progress: Progress = field(default_factory=Progress)
    told: dict[str, Campaign] = field(default_factory=dict)
    is_idle: bool = False

    def look(self, world: World) -> list[str]:
        """Look once; return whose state it was told."""
        sight = world.look(self.progress)
        self.told |= {campaign.campaign_id: campaign for campaign in sight.campaigns}
        self.progress = self.progress.after(sight)
        self.is_idle = self.progress.is_current_with(sight)
        return [campaign.campaign_id for campaign in sight.campaigns]

    def look_until_idle(self, world: World) -> list[str]:
        told: list[str] = []
        for _ in range(LOOKS_MAX):
            told += self.look(world)
            if self.is_idle:
                return told
        raise AssertionError("never idle")


Act: TypeAlias = tuple[str, dict[str, object]]

ACTS: st.SearchStrategy[Act] = st.one_of(
    st.tuples(
        st.just("change"),
        st.fixed_dictionaries(
            {
                "campaign_id": st.sampled_from("abcde"),
                "stage": st.sampled_from(Stage),
                "pause": st.sampled_from([None, PAUSE]),
            }
        ),
    ),
    st.tuples(
        st.just("block"), st.fixed_dictionaries({"paused": st.booleans(), "frozen": st.booleans()})
    ),
    st.tuples(st.sampled_from(["change_stop", "settle", "pass_time", "look"]), st.just({})),
)


@given(st.lists(ACTS, max_size=30))
def test_when_it_is_quiet_a_watcher_has_been_told_everything_as_it_stands(acts: list[Act]) -> None:
    world, watcher = World(), Watcher()
    for name, arguments in acts:
        if name == "look":
            watcher.look(world)
        else:
            getattr(world, name)(**arguments)

    watcher.look_until_idle(world)

    assert {each: shown(told) for each, told in watcher.told.items()} == {
        each: shown(world.stands(each)) for each in world.stored
    }


@given(st.lists(ACTS, max_size=30))
def test_who_is_idle_is_told_nothing_until_something_changes(acts: list[Act]) -> None:
    world, watcher = World(), Watcher()
    for name, arguments in acts:
        if name != "look":
            getattr(world, name)(**arguments)
    watcher.look_until_idle(world)

    assert watcher.look(world) == []
    assert watcher.is_idle


def test_what_was_told_while_an_organization_stood_otherwise_is_told_again() -> None:
    """It stands as it did when the round began, but not as it did in the midst of it."""
    world, watcher = World(), Watcher()
    world.change("a", Stage.DRAFT, None)
    watcher.look(world)
    world.block(paused=False, frozen=True)
    world.change("b", Stage.DRAFT, None)
    world.change("c", Stage.DRAFT, None)
    assert watcher.look(world) == ["b", "c"]
    world.block(paused=False, frozen=False)

    assert watcher.look_until_idle(world) == ["a", "b", "c"]
    assert all(not told.blockers for told in watcher.told.values())


def test_one_change_is_told_alone_and_one_of_the_organization_for_all_that_is_not_over() -> None:
    world, watcher = World(), Watcher()
    for campaign_id in "abcd":
        world.change(campaign_id, Stage.STARTED, None)
    world.change("d", Stage.COMPLETED, None)
    assert watcher.look_until_idle(world) == ["a", "b", "c", "d"]

    world.change("b", Stage.STARTED, PAUSE)
    assert watcher.look_until_idle(world) == ["b"]

    # What was stored anew comes first, and is told again with all the others.
    world.block(paused=False, frozen=True)
    assert watcher.look_until_idle(world) == ["a", "c", "b", "a", "c"]


def test_it_is_known_when_time_alone_will_change_an_organization() -> None:
    world = World()
    assert world.look(Progress()).seconds_to_lapse == 180
    world.now += 3 * MINUTE
    assert world.look(Progress()).seconds_to_lapse is None
    world.settle()
    assert world.look(Progress()).seconds_to_lapse is None
