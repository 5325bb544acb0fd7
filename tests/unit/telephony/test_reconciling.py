"""Claims and answers against a Twilio that loses, delays and refuses: it always ends as wanted."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.telephony.domain.aftermath import AftermathAnswer, begin_aftermath
from services.telephony.domain.changes import ChangeCause, Reason, change_between
from services.telephony.domain.decision import register
from services.telephony.domain.failures import no_usable_answer, refusal
from services.telephony.domain.reconciling import (
    Answer,
    ReconcileTiming,
    claim,
    claim_aftermath,
    give_back,
    needs_driving,
    record,
    record_aftermath,
    want,
)
from services.telephony.domain.values import (
    ObservedState,
    Organization,
    Subaccount,
    SuspensionPolicy,
    WantedState,
)

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIMING = ReconcileTiming(lease=20 * SECOND, recheck_delay=60 * SECOND)
# A call that was given up may take effect until then, at the latest.
LATE_EFFECT_MAX = 30 * SECOND
SID = f"AC{'0' * 32}"
CALM_STEPS = 60
SWEEP = 100 * SECOND
NO_ANSWER = no_usable_answer("no answer")
REFUSED = refusal(20003, "refused")
CLEAR = AftermathAnswer(
    ended_call_count=0,
    canceled_message_count=0,
    found_call_count=0,
    message_page=None,
    message_refused=False,
    clear=True,
    goes_on=False,
    next_delay=SWEEP,
    failure=None,
)
FOUND = replace(CLEAR, ended_call_count=2, found_call_count=2, clear=False, next_delay=SECOND)
REFUSED_LOOK = replace(CLEAR, found_call_count=None, clear=False, failure=REFUSED)


@dataclass
class LateEffect:
    time: datetime
    state: ObservedState


@dataclass
class World:
    """One subaccount, its Twilio, and one reconciler that may die at any moment."""

    subaccount: Subaccount
    twilio: ObservedState = ObservedState.ACTIVE
    now: datetime = START
    late_effects: list[LateEffect] = field(default_factory=list)
    claimed: Subaccount | None = None

    def want(self, wanted: WantedState | None) -> None:
        """As settling does."""
        if wanted is not self.subaccount.wanted:
            self.subaccount = want(self.subaccount, wanted, self.now)

    def meddle(self, state: ObservedState) -> None:
        """Somebody uses Twilio's console."""
        self.twilio = state

    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND
        for effect in [each for each in self.late_effects if each.time <= self.now]:
            self.late_effects.remove(effect)
            self.twilio = effect.state

    def take_claim(self) -> None:
        if self.claimed is None and self.subaccount.is_claimable_at(self.now):
            self.subaccount = claim(self.subaccount, TIMING, self.now)
            self.claimed = self.subaccount

    def answer(self) -> None:
        """Twilio does what it is asked, and says so."""
        if self.claimed is not None:
            changed = self.claimed.drifted and self.claimed.wanted is not None
            if changed and self.claimed.wanted is not None:
                self.twilio = self.claimed.wanted.observed
            self._record(Answer(self.twilio, SWEEP, looked=not changed))

    def end_what_goes_on(self, answer: AftermathAnswer | None) -> None:
        """What follows a suspension is looked at; without an answer who does it dies."""
        if self.claimed is None and self.subaccount.is_aftermath_claimable_at(self.now):
            claimed = self.subaccount = claim_aftermath(self.subaccount, TIMING, self.now)
            if answer is not None:
                assert self.subaccount.is_held_by(claimed)
                self.subaccount = record_aftermath(self.subaccount, answer, self.now)

    def give_back(self) -> None:
        """Its turn did not come in time."""
        if self.claimed is not None and self.subaccount.is_held_by(self.claimed):
            self.subaccount = give_back(self.subaccount, self.now)
        self.claimed = None

    def lose(self, delay_seconds: int) -> None:
        """The call times out, and takes effect after all."""
        if self.claimed is not None:
            self._take_effect_late(delay_seconds)
            self._record(Answer(ObservedState.UNKNOWN, SECOND, NO_ANSWER))

    def refuse(self) -> None:
        if self.claimed is not None:
            self._record(Answer(self.twilio, 5 * SECOND, REFUSED))

    def meet_trouble(self) -> None:
        """All of Twilio fails, and this subaccount with it."""
        if self.claimed is not None:
            held = self.subaccount.is_held_by(self.claimed)
            before = self.subaccount
            self._record(Answer(None, 5 * SECOND, NO_ANSWER, counts=False))
            if held:
                assert_nobody_is_blamed(before, self.subaccount, self.now)

    def die(self, delay_seconds: int) -> None:
        """The process ends between call and record."""
        if self.claimed is not None:
            self._take_effect_late(delay_seconds)
            self.claimed = None

    def _take_effect_late(self, delay_seconds: int) -> None:
        if self.claimed is not None and self.claimed.wanted is not None and self.claimed.drifted:
            time = self.now + min(delay_seconds * SECOND, LATE_EFFECT_MAX)
            self.late_effects.append(LateEffect(time, self.claimed.wanted.observed))

    def _record(self, answer: Answer) -> None:
        assert self.claimed is not None
        if self.subaccount.is_held_by(self.claimed):
            self.subaccount = record(self.subaccount, self.claimed, answer, TIMING, self.now)
        self.claimed = None

    def calm_down(self) -> None:
        """From here on nothing fails."""
        self.claimed = None
        for _ in range(CALM_STEPS):
            self.take_claim()
            self.answer()
            self.pass_time(5)


def new_world(twilio: ObservedState) -> World:
    """A subaccount that was just registered: nobody has asked Twilio."""
    return World(register(Organization("org-1"), "", SID, SuspensionPolicy(), START), twilio)


def settled_world(state: WantedState) -> World:
    """A subaccount that has long stood as wanted."""
    world = new_world(state.observed)
    world.subaccount = replace(
        world.subaccount,
        wanted=state,
        observed=state.observed,
        told=state.observed,
        next_attempt_time=START + SWEEP,
        aftermath=begin_aftermath(START) if state is WantedState.SUSPENDED else None,
    )
    return world


seconds = st.integers(0, 40)
wants = st.sampled_from([None, WantedState.ACTIVE, WantedState.SUSPENDED])
events = st.one_of(
    st.tuples(st.just("want"), wants),
    st.tuples(st.just("pass_time"), seconds),
    st.tuples(st.just("take_claim")),
    st.tuples(st.just("take_claim")),
    st.tuples(st.just("answer")),
    st.tuples(st.just("lose"), seconds),
    st.tuples(st.just("refuse")),
    st.tuples(st.just("give_back")),
    st.tuples(st.just("end_what_goes_on"), st.sampled_from([None, FOUND, CLEAR, REFUSED_LOOK])),
    st.tuples(st.just("meet_trouble")),
    st.tuples(st.just("meddle"), st.sampled_from([ObservedState.ACTIVE, ObservedState.SUSPENDED])),
    st.tuples(st.just("die"), seconds),
)
worlds = st.one_of(
    st.builds(new_world, st.sampled_from([ObservedState.ACTIVE, ObservedState.SUSPENDED])),
    st.builds(settled_world, st.sampled_from(WantedState)),
)


@settings(max_examples=500, deadline=None)
@given(worlds, st.lists(events, max_size=20), st.sampled_from(WantedState))
def test_whatever_happened_it_ends_as_wanted(
    world: World, story: list[tuple[str, object]], wanted: WantedState
) -> None:
    for name, *arguments in story:
        getattr(world, name)(*arguments)
        assert_it_is_whole(world.subaccount)
    world.want(wanted)
    world.calm_down()
    assert world.twilio is wanted.observed
    assert world.subaccount.observed is wanted.observed
    assert world.subaccount.drift_time is None
    assert world.subaccount.failing_time is None


def assert_it_is_whole(subaccount: Subaccount) -> None:
    """It is looked at again, and since when it is not as it should be is known."""
    assert subaccount.next_attempt_time is not None
    assert subaccount.attempt_count >= 0
    assert (subaccount.drift_time is not None) is subaccount.drifted
    assert (subaccount.failing_time is not None) is bool(subaccount.last_error)
    assert (subaccount.aftermath is not None) is subaccount.stopped
    if subaccount.lease_end_time is None:
        assert subaccount.observed is subaccount.told


def assert_nobody_is_blamed(before: Subaccount, after: Subaccount, now: datetime) -> None:
    assert (after.last_error, after.failing_time) == (before.last_error, before.failing_time)
    assert after.attempt_count == max(0, before.attempt_count - 1)
    # It waits for Twilio, and for nothing else.
    assert after.next_attempt_time == now


def claimed_of(wanted: WantedState | None, observed: ObservedState) -> Subaccount:
    """Return a subaccount that stood so when it was claimed."""
    subaccount = replace(
        new_world(observed).subaccount, wanted=wanted, observed=observed, told=observed
    )
    return claim(subaccount, TIMING, START)


def test_while_it_is_driven_nothing_is_taken_for_known() -> None:
    claimed = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    assert claimed.observed is ObservedState.UNKNOWN
    assert claimed.drifted


def test_a_look_at_what_stands_as_wanted_does_not_make_it_unknown() -> None:
    claimed = claimed_of(WantedState.ACTIVE, ObservedState.ACTIVE)
    assert claimed.observed is ObservedState.ACTIVE


def test_nobody_else_may_claim_until_the_lease_ends() -> None:
    claimed = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    due = replace(claimed, next_attempt_time=START)
    assert not due.is_claimable_at(START + TIMING.lease - SECOND)
    assert due.is_claimable_at(START + TIMING.lease)


def test_only_the_latest_claim_may_record() -> None:
    first = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    second = claim(first, TIMING, START + TIMING.lease)
    assert not second.is_held_by(first)
    assert second.is_held_by(second)
    recorded = record(second, second, Answer(ObservedState.SUSPENDED, SWEEP), TIMING, START)
    assert not recorded.is_held_by(second)


def test_what_is_wanted_otherwise_meanwhile_is_due_at_once() -> None:
    claimed = claimed_of(WantedState.ACTIVE, ObservedState.SUSPENDED)
    flipped = replace(claimed, wanted=WantedState.SUSPENDED)
    lost = Answer(ObservedState.UNKNOWN, 30 * SECOND, NO_ANSWER)
    for answer in (Answer(ObservedState.ACTIVE, SWEEP), lost):
        assert record(flipped, claimed, answer, TIMING, START).next_attempt_time == START


def test_a_failure_waits_and_counts_and_a_success_forgets_it() -> None:
    claimed = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    failed = record(claimed, claimed, Answer(None, 9 * SECOND, REFUSED), TIMING, START)
    assert (failed.last_error, failed.attempt_count) == (REFUSED.message, 1)
    assert failed.next_attempt_time == START + 9 * SECOND
    again = claim(failed, TIMING, START + 9 * SECOND)
    reached = record(again, again, Answer(ObservedState.SUSPENDED, SWEEP), TIMING, START)
    assert (reached.last_error, reached.attempt_count) == ("", 0)
    assert reached.next_attempt_time == START + SWEEP


def closed_and_claimed() -> Subaccount:
    """A closed one that a person wants to be looked at."""
    closed = replace(
        claimed_of(WantedState.ACTIVE, ObservedState.CLOSED),
        lease_end_time=None,
        next_attempt_time=START,
        attempt_count=0,
    )
    assert closed.is_claimable_at(START)
    assert want(closed, WantedState.SUSPENDED, START).next_attempt_time == START
    return claim(closed, TIMING, START)


def test_a_closed_one_is_believed_to_be_closed_while_it_is_looked_at() -> None:
    claimed = closed_and_claimed()
    assert (claimed.observed, claimed.told) == (ObservedState.CLOSED, ObservedState.CLOSED)
    for answer in (
        Answer(ObservedState.CLOSED, SWEEP, looked=True),
        Answer(None, SECOND, REFUSED),
        Answer(None, SECOND, NO_ANSWER, counts=False),
    ):
        left = record(claimed, claimed, answer, TIMING, START)
        assert (left.observed, left.next_attempt_time) == (ObservedState.CLOSED, None)
        assert (left.last_error, left.failing_time, left.attempt_count) == ("", None, 0)


def test_one_that_was_not_closed_is_drift_and_driven_at_once() -> None:
    claimed = closed_and_claimed()
    answer = Answer(ObservedState.SUSPENDED, SWEEP, looked=True)
    found = record(claimed, claimed, answer, TIMING, START)
    assert answer.reason(claimed).cause is ChangeCause.DRIFT
    assert (found.drifted, found.next_attempt_time) == (True, START)


def test_closed_is_for_ever() -> None:
    claimed = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    closed = record(claimed, claimed, Answer(ObservedState.CLOSED, SWEEP), TIMING, START)
    assert closed.next_attempt_time is None
    assert not closed.drifted
    for wanted in (None, *WantedState):
        assert not needs_driving(wanted, ObservedState.CLOSED)


@pytest.mark.parametrize("wanted", [None, *WantedState])
def test_what_is_wanted_otherwise_is_looked_at_at_once(wanted: WantedState | None) -> None:
    later = START + SECOND
    settled = settled_world(WantedState.ACTIVE).subaccount
    changed = want(settled, wanted, later)
    assert changed.next_attempt_time == later
    assert changed.drift_time == (later if changed.drifted else None)


@pytest.mark.parametrize("wanted", [None, WantedState.SUSPENDED])
def test_what_is_wanted_anew_is_as_good_as_untried(wanted: WantedState | None) -> None:
    """Else the first suspension would wait, and rank, as activations did that failed before."""
    claimed = claimed_of(WantedState.ACTIVE, ObservedState.UNKNOWN)
    failing = record(claimed, claimed, Answer(None, SECOND, REFUSED), TIMING, START)
    again = want(failing, wanted, START)
    assert (again.attempt_count, again.last_error, again.next_attempt_time) == (0, "", START)
    assert_it_is_whole(again)


def test_a_call_that_fails_for_what_is_not_wanted_any_more_is_no_attempt_of_the_new_wish() -> None:
    claimed = claimed_of(WantedState.ACTIVE, ObservedState.UNKNOWN)
    flipped = want(claimed, WantedState.SUSPENDED, START)
    recorded = record(flipped, claimed, Answer(None, SECOND, REFUSED), TIMING, START)
    assert (recorded.attempt_count, recorded.next_attempt_time) == (0, START)


def test_what_twilio_did_not_process_leaves_what_was_known() -> None:
    claimed = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    refused = record(claimed, claimed, Answer(None, SECOND, REFUSED), TIMING, START)
    assert refused.observed is ObservedState.ACTIVE


def test_an_abandoned_claim_leaves_the_outcome_open() -> None:
    abandoned = claimed_of(WantedState.SUSPENDED, ObservedState.ACTIVE)
    again = claim(abandoned, TIMING, START + TIMING.lease)
    assert again.told is ObservedState.UNKNOWN
    assert again.recheck_time is not None


@pytest.mark.parametrize("wanted", [None, WantedState.ACTIVE])
def test_an_abandoned_look_leaves_nothing_open(wanted: WantedState | None) -> None:
    abandoned = claimed_of(wanted, ObservedState.ACTIVE)
    again = claim(want(abandoned, WantedState.SUSPENDED, START), TIMING, START + TIMING.lease)
    assert (again.told, again.recheck_time) == (ObservedState.ACTIVE, None)


def test_only_where_no_call_of_ours_can_have_come_late_did_somebody_else_change_it() -> None:
    claimed = claimed_of(WantedState.SUSPENDED, ObservedState.SUSPENDED)
    looked = Answer(ObservedState.ACTIVE, SWEEP, looked=True)
    assert looked.reason(claimed).cause == "DRIFT"
    assert replace(looked, looked=False).reason(claimed).cause == "TWILIO"
    assert looked.reason(replace(claimed, recheck_time=START)).cause == "TWILIO"
    assert looked.reason(replace(claimed, told=ObservedState.UNKNOWN)).cause == "TWILIO"


def suspended_world() -> World:
    world = settled_world(WantedState.ACTIVE)
    world.want(WantedState.SUSPENDED)
    world.calm_down()
    return world


def test_what_follows_a_suspension_is_told_when_it_is_ended_and_when_it_is_refused() -> None:
    world = suspended_world()
    told = []
    for answer in (FOUND, FOUND, CLEAR, CLEAR, REFUSED_LOOK, REFUSED_LOOK, FOUND, CLEAR):
        before = world.subaccount
        world.pass_time(200)
        world.end_what_goes_on(answer)
        reason = Reason(ChangeCause.AFTERMATH)
        line = change_between(before, world.subaccount, reason, world.now)
        told.append(line and (line.ended_call_count, bool(line.error)))
    assert told == [None, None, (4, False), None, (4, True), None, (6, False), (6, False)]


def test_a_look_that_finds_something_again_is_not_clear_and_comes_again_soon() -> None:
    world = suspended_world()
    world.end_what_goes_on(CLEAR)
    aftermath = world.subaccount.aftermath
    assert aftermath is not None
    assert aftermath.clear_time == world.now
    assert aftermath.due_time == world.now + SWEEP
    world.pass_time(100)
    world.end_what_goes_on(replace(FOUND, goes_on=True))
    aftermath = world.subaccount.aftermath
    assert aftermath is not None
    assert aftermath.clear_time is None
    assert aftermath.due_time == world.now


@pytest.mark.parametrize("answer", [REFUSED_LOOK, replace(FOUND, failure=NO_ANSWER)])
def test_what_fails_for_all_of_twilio_is_not_blamed_on_what_follows(
    answer: AftermathAnswer,
) -> None:
    world = suspended_world()
    world.end_what_goes_on(FOUND)
    world.pass_time(1)
    world.end_what_goes_on(CLEAR)
    before = world.subaccount.aftermath
    assert before is not None
    world.pass_time(200)
    world.end_what_goes_on(replace(answer, counts=False))
    after = world.subaccount.aftermath
    ended = before.ended_call_count + answer.ended_call_count
    clear_time = None if answer.found_call_count else before.clear_time
    assert after == replace(
        before,
        due_time=world.now,
        ended_call_count=ended,
        found_call_count=answer.found_call_count or 0,
        clear_time=clear_time,
    )


def test_who_looks_at_what_follows_keeps_others_away_and_lifting_it_wins() -> None:
    world = suspended_world()
    now = world.now
    claimed = claim_aftermath(world.subaccount, TIMING, now)
    assert not claimed.is_claimable_at(now + TIMING.lease - SECOND)
    assert not claimed.is_aftermath_claimable_at(now + TIMING.lease - SECOND)
    lifted = want(claimed, WantedState.ACTIVE, now)
    assert lifted.is_held_by(claimed)
    recorded = record_aftermath(lifted, FOUND, now)
    assert recorded.aftermath is None
    assert recorded.is_claimable_at(now)


def test_what_is_given_back_when_it_is_wanted_as_it_stands_again_is_not_drifted() -> None:
    claimed = claimed_of(WantedState.ACTIVE, ObservedState.SUSPENDED)
    again = give_back(want(claimed, WantedState.SUSPENDED, START), START)
    assert_it_is_whole(again)
    assert again.aftermath is not None


def test_of_attempts_that_were_forgotten_meanwhile_none_is_taken_back() -> None:
    claimed = claimed_of(WantedState.ACTIVE, ObservedState.ACTIVE)
    flipped = want(want(claimed, WantedState.SUSPENDED, START), WantedState.ACTIVE, START)
    failed = Answer(None, SECOND, NO_ANSWER, counts=False)
    for again in (give_back(flipped, START), record(flipped, claimed, failed, TIMING, START)):
        assert again.attempt_count == 0
