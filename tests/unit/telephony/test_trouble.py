"""Whether Twilio can be used at all, against a model that remembers every call."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.telephony.domain.failures import Action, Failure, no_usable_answer, refusal
from services.telephony.domain.trouble import (
    Call,
    TwilioHealth,
    TwilioState,
    claim_probe,
    hear,
    record_probe,
    trouble_blockers,
)
from services.telephony.domain.values import Blocker, ObservedState

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = 10 * SECOND
PAUSE = 5 * SECOND
WELL = TwilioHealth(
    state=TwilioState.OK,
    since=START,
    last_error="",
    failure_count=0,
    failing_names=(),
    probe_count=0,
    probe_due_time=None,
    probe_number=0,
    probe_lease_end_time=None,
)

NO_ANSWER = no_usable_answer("no answer")
PARENT_REFUSAL = refusal(21476, "refused")
DENIED = refusal(20003, "denied")
BUSY = refusal(20429, "busy")
DEFECT = Failure(Action.RETRY, "internal error")
MANY = [f"account {number}" for number in range(12)]
FAILURES = [NO_ANSWER, PARENT_REFUSAL, DENIED, BUSY, DEFECT, refusal(20404, "no such account")]
STATE_OF_PROBE: list[tuple[ObservedState | Failure, TwilioState | None]] = [
    (ObservedState.ACTIVE, TwilioState.OK),
    (ObservedState.SUSPENDED, TwilioState.PARENT_SUSPENDED),
    (ObservedState.CLOSED, TwilioState.PARENT_SUSPENDED),
    (PARENT_REFUSAL, TwilioState.PARENT_SUSPENDED),
    *((refusal(code, "no"), TwilioState.PARENT_SUSPENDED) for code in (10001, 20005, 21472)),
    *((refusal(code, "no"), TwilioState.CREDENTIALS_REFUSED) for code in (20003, 20008, 20404)),
    *((refusal(status, "no"), TwilioState.CREDENTIALS_REFUSED) for status in (401, 403, 404)),
    (BUSY, None),
    (DEFECT, None),
    (refusal(99999, "a code that nobody knows"), None),
    (NO_ANSWER, None),
]


@dataclass
class World:
    """What is written down, and beside it a model that keeps all calls that count."""

    health: TwilioHealth = WELL
    now: datetime = START
    claimed: TwilioHealth | None = None
    # Who was to be changed and got no answer since, and nobody else was changed.
    unanswered: set[str] = field(default_factory=set)
    # And how many calls in a row did not, since the parent was found well.
    unanswered_count: int = 0
    state: TwilioState = TwilioState.OK
    since: datetime = START
    probes_in_trouble: int = 0

    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND

    def call(
        self,
        name: str,
        failure: Failure | None,
        *,
        changed: bool,
        seconds: int,
        to_change: bool = True,
    ) -> None:
        """A call that began some time ago ends."""
        call = Call(name, self.now - seconds * SECOND, failure, changed, to_change)
        self.health = hear(self.health, call, PAUSE, self.now)
        if self.state is not TwilioState.OK or call.claim_time < self.since:
            return
        if failure is None:
            self.unanswered_count = 0
            self.unanswered.discard(name)
            if changed and to_change:
                self.unanswered.clear()
                self.probes_in_trouble = 0
        elif failure is NO_ANSWER:
            self.unanswered_count += 1
            if to_change:
                self.unanswered.add(name)
                self._become_if(len(self.unanswered) >= 10)
        elif failure is PARENT_REFUSAL:
            self._become(TwilioState.PARENT_SUSPENDED)

    def call_many(self, count: int) -> None:
        for name in MANY[:count]:
            self.call(name, NO_ANSWER, changed=False, seconds=0)

    def begin_probe(self) -> None:
        claimed = claim_probe(self.health, LEASE, self.now)
        if claimed is not None:
            assert self.health.probe_lease_end_time is None or (
                self.health.probe_lease_end_time <= self.now
            ), "two at once"
            self.health = self.claimed = claimed
            self.probes_in_trouble += self.state is not TwilioState.OK

    def end_probe(self, number: int) -> None:
        if self.claimed is None:
            return
        found, state = STATE_OF_PROBE[number]
        self.health = record_probe(self.health, self.claimed, found, PAUSE, self.now)
        self.claimed = None
        if state is not None:
            self.unanswered_count = 0 if state is TwilioState.OK else self.unanswered_count
            self._become(state)
        elif found is NO_ANSWER and self.state is TwilioState.OK:
            self.unanswered_count += 1
            self._become_if(self.unanswered_count >= 3)

    def die(self) -> None:
        """Whoever probes is killed."""
        self.claimed = None

    def recover(self) -> None:
        """From here on Twilio does what it is asked."""
        self.claimed = None
        self.pass_time(15)
        self.begin_probe()
        self.end_probe(0)
        self.call("one", None, changed=True, seconds=0)

    def _become_if(self, is_down: bool) -> None:  # noqa: FBT001 - a condition
        if is_down:
            self._become(TwilioState.UNAVAILABLE)

    def _become(self, state: TwilioState) -> None:
        if state is not self.state:
            self.state, self.since = state, self.now


calls = st.builds(
    lambda name, failure, changed, seconds, to_change: (
        "call",
        {
            "name": name,
            "failure": failure,
            "changed": changed,
            "seconds": seconds,
            "to_change": to_change,
        },
    ),
    st.sampled_from(MANY),
    st.sampled_from([None, NO_ANSWER, NO_ANSWER, NO_ANSWER, *FAILURES]),
    st.booleans(),
    st.sampled_from([0, 0, 0, 3]),
    st.booleans(),
)
events = st.one_of(
    calls,
    calls,
    st.builds(lambda count: ("call_many", {"count": count}), st.sampled_from([3, 9, 10])),
    st.builds(lambda seconds: ("pass_time", {"seconds": seconds}), st.integers(0, 12)),
    st.just(("begin_probe", {})),
    st.builds(
        lambda number: ("end_probe", {"number": number}),
        st.integers(0, len(STATE_OF_PROBE) - 1),
    ),
    st.just(("die", {})),
)


@given(st.lists(events, max_size=40))
def test_it_is_what_the_calls_and_probes_say_and_always_recovers(
    story: list[tuple[str, dict[str, object]]],
) -> None:
    world = World()
    for name, arguments in story:
        getattr(world, name)(**arguments)
        health = world.health
        assert (health.state, health.since) == (world.state, world.since)
        assert health.probe_count == world.probes_in_trouble
        assert health.in_trouble is bool(health.last_error)
        assert_only_what_needs_a_probe_has_one(health, world.now)
    world.recover()
    assert replace(world.health, since=START, probe_number=0) == WELL


def assert_only_what_needs_a_probe_has_one(health: TwilioHealth, now: datetime) -> None:
    soon = claim_probe(health, LEASE, now + max(LEASE, PAUSE))
    assert (soon is not None) is (health.in_trouble or health.in_doubt)


def hear_all(health: TwilioHealth, calls: Iterable[tuple[str, Failure | None]]) -> TwilioHealth:
    for name, failure in calls:
        health = hear(health, Call(name, START, failure, changed=True), PAUSE, START)
    return health


@pytest.mark.parametrize(
    "calls",
    [
        [("one", NO_ANSWER)] * 10,
        [(name, NO_ANSWER) for name in MANY[:9]] * 2,
        [(name, NO_ANSWER) for name in MANY[:9]] + [("one", None), ("two", NO_ANSWER)],
        [("one", DENIED), ("two", DENIED), ("three", DENIED)],
        [("one", BUSY), ("two", BUSY), ("three", BUSY)],
        [("one", DEFECT), ("two", DEFECT), ("three", DEFECT)],
    ],
)
def test_what_is_no_trouble_of_all(calls: list[tuple[str, Failure | None]]) -> None:
    assert not hear_all(WELL, calls).in_trouble


def test_the_third_call_in_a_row_without_an_answer_is_a_doubt() -> None:
    calls = [("one", NO_ANSWER), ("one", NO_ANSWER), ("two", NO_ANSWER)]
    assert not hear_all(WELL, calls[:2]).in_doubt
    assert not hear_all(WELL, [*calls[:2], ("one", None), calls[2]]).in_doubt
    doubted = hear_all(WELL, calls)
    assert (doubted.state, doubted.in_doubt) == (TwilioState.OK, True)
    found = probe(doubted, NO_ANSWER)
    assert (found.state, found.last_error) == (TwilioState.UNAVAILABLE, NO_ANSWER.message)
    assert found.probe_due_time == START + PAUSE
    assert not probe(doubted, ObservedState.ACTIVE).in_trouble


def test_however_well_the_parent_is_two_accounts_alone_keep_nobody_from_sending() -> None:
    health = WELL
    for _ in range(20):
        health = hear_all(health, [("one", NO_ANSWER), ("two", NO_ANSWER), ("one", NO_ANSWER)])
        assert not health.in_trouble
        health = probe(health, ObservedState.ACTIVE)
        assert not health.in_trouble


def test_many_accounts_without_an_answer_are_trouble_however_well_the_parent_is() -> None:
    found = hear_all(WELL, [(name, NO_ANSWER) for name in MANY[:10]])
    assert (found.state, found.last_error) == (TwilioState.UNAVAILABLE, NO_ANSWER.message)
    assert found.probe_due_time == START + PAUSE


def look(health: TwilioHealth, name: str, failure: Failure | None) -> TwilioHealth:
    """Hear of a look at one that stands as wanted."""
    return hear(health, Call(name, START, failure, changed=False, to_change=False), PAUSE, START)


def hear_with_looks_between(names: Iterable[str], of: str) -> TwilioHealth:
    """Hear that none of these can be changed, while the look at another one goes well."""
    health = WELL
    for name in names:
        health = look(hear_all(health, [(name, NO_ANSWER)]), of, None)
        assert not health.in_doubt
    return health


def test_many_accounts_that_can_be_seen_and_not_changed_are_trouble() -> None:
    assert hear_with_looks_between(MANY[:10], of="another").state is TwilioState.UNAVAILABLE


def test_accounts_that_never_can_be_changed_and_looks_that_are_lost_are_no_trouble() -> None:
    health = hear_with_looks_between(MANY[:9] * 20, of="another")
    for name in ("another", "yet another"):
        health = look(look(health, name, NO_ANSWER), "another", None)
    assert not health.in_trouble
    # Each that was answered since is none of them, and a change speaks for all.
    assert look(health, MANY[0], None).failing_names == tuple(MANY[1:9])
    assert hear_all(health, [("another", None)]).failing_names == ()


def test_calls_that_were_ended_in_an_account_do_not_tell_that_accounts_can_be_changed() -> None:
    failing = hear_with_looks_between(MANY[:9], of="another")
    ended = Call("another", START, None, changed=True, to_change=False)
    assert hear(failing, ended, PAUSE, START) == failing


def hear_aside(health: TwilioHealth, count: int) -> TwilioHealth:
    """Hear of looks at what goes on in as many accounts, which got no answer."""
    for number in range(count):
        call = Call(f"{number}", START, NO_ANSWER, changed=False, to_change=False)
        health = hear(health, call, PAUSE, START)
    return health


def probe(health: TwilioHealth, found: ObservedState | Failure) -> TwilioHealth:
    claimed = claim_probe(health, LEASE, START)
    assert claimed is not None
    return record_probe(claimed, claimed, found, PAUSE, START)


def test_what_goes_on_in_accounts_and_is_not_answered_is_trouble_only_if_the_parent_is_not() -> (
    None
):
    doubted = hear_aside(WELL, 10)
    assert (doubted.state, doubted.in_doubt) == (TwilioState.OK, True)
    assert probe(doubted, NO_ANSWER).state is TwilioState.UNAVAILABLE
    well = probe(doubted, ObservedState.ACTIVE)
    assert (well.state, well.in_doubt) == (TwilioState.OK, False)
    # And after trouble it does not bring it back by itself.
    over = probe(replace(probe(doubted, NO_ANSWER), probe_due_time=START), ObservedState.ACTIVE)
    assert hear_aside(over, 3).state is TwilioState.OK


def test_one_refusal_and_one_lost_probe_are_no_trouble_yet() -> None:
    doubted = probe(hear_all(WELL, [("one", DENIED)]), NO_ANSWER)
    assert (doubted.state, doubted.in_doubt) == (TwilioState.OK, True)


def test_after_a_probe_that_went_well_one_more_failure_of_many_is_trouble_again() -> None:
    world = World(hear_all(WELL, [(name, NO_ANSWER) for name in MANY[:10]]))
    for probe_count in (1, 2, 3):
        world.pass_time(5)
        world.begin_probe()
        world.end_probe(0)
        assert world.health.state is TwilioState.OK
        call = Call("three", world.now, NO_ANSWER, changed=False)
        world.health = hear(world.health, call, PAUSE, world.now)
        assert world.health.state is TwilioState.UNAVAILABLE
        # So each pause is longer than the one before.
        assert world.health.probe_count == probe_count


def test_only_a_change_that_succeeded_makes_the_pauses_short_again() -> None:
    flapping = replace(WELL, probe_count=5, failure_count=2)
    looked = hear(flapping, Call("one", START, None, changed=False), PAUSE, START)
    assert (looked.probe_count, looked.failure_count) == (5, 0)
    changed = hear(flapping, Call("one", START, None, changed=True), PAUSE, START)
    assert changed.probe_count == 0


def test_a_probe_under_way_is_the_only_one_whatever_is_heard_meanwhile() -> None:
    probing = claim_probe(hear_all(WELL, [("one", DENIED)]), LEASE, START)
    assert probing is not None
    heard = hear_all(probing, [("two", PARENT_REFUSAL)])
    assert claim_probe(heard, LEASE, START + LEASE - SECOND) is None
    assert claim_probe(heard, LEASE, START + LEASE) is not None


@pytest.mark.parametrize(("found", "state"), STATE_OF_PROBE)
def test_a_doubt_is_settled_by_what_the_parent_is_found_to_be(
    found: ObservedState | Failure, state: TwilioState | None
) -> None:
    doubt = claim_probe(hear_all(WELL, [("one", DENIED)]), LEASE, START)
    assert doubt is not None
    settled = record_probe(doubt, doubt, found, PAUSE, START)
    assert settled.state is (state or TwilioState.OK)
    assert settled.in_doubt is (state is None)


def test_a_probe_that_was_overtaken_tells_nothing() -> None:
    overtaken = claim_probe(hear_all(WELL, [("one", DENIED)]), LEASE, START)
    assert overtaken is not None
    newer = claim_probe(overtaken, LEASE, START + LEASE)
    assert newer is not None
    assert record_probe(newer, overtaken, ObservedState.SUSPENDED, PAUSE, START) == newer
    recorded = record_probe(newer, newer, ObservedState.ACTIVE, PAUSE, START)
    assert record_probe(recorded, newer, ObservedState.SUSPENDED, PAUSE, START) == recorded


def test_a_call_that_began_before_it_was_over_tells_nothing() -> None:
    over = replace(WELL, since=START + SECOND, failure_count=5, failing_names=("a", "b"))
    for failure in FAILURES:
        assert hear_all(over, [("one", failure)]) == over


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.message)
@pytest.mark.parametrize("to_change", [True, False])
def test_in_trouble_no_subaccount_is_blamed_for_what_is_all_of_twilios(
    failure: Failure,
    to_change: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    call = Call("one", START, failure, changed=False, to_change=to_change)
    trouble = replace(WELL, state=TwilioState.UNAVAILABLE, last_error="no answer")
    is_twilios = failure in (NO_ANSWER, PARENT_REFUSAL, DENIED)
    assert call.is_twilios_failure(trouble) is is_twilios
    assert call.is_twilios_failure(replace(WELL, since=START + SECOND)) is is_twilios
    assert not call.is_twilios_failure(WELL)


def test_what_probes_a_refusal_of_the_credentials_asks_for_at_once() -> None:
    doubted = hear_all(WELL, [("one", DENIED)])
    assert doubted.in_doubt
    assert claim_probe(doubted, LEASE, START) is not None


@pytest.mark.parametrize(
    ("state", "blockers"),
    [
        (TwilioState.OK, ()),
        (TwilioState.UNAVAILABLE, (Blocker.TWILIO_UNAVAILABLE,)),
        (TwilioState.CREDENTIALS_REFUSED, (Blocker.TWILIO_UNAVAILABLE,)),
        (TwilioState.PARENT_SUSPENDED, (Blocker.PARENT_SUSPENDED,)),
    ],
)
def test_each_trouble_has_its_blocker(state: TwilioState, blockers: tuple[Blocker, ...]) -> None:
    assert trouble_blockers(state) == blockers
