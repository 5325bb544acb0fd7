"""Whether Twilio can be used at all: one state of the service, and not one of each subaccount."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.telephony.domain.failures import Action, Failure
from services.telephony.domain.values import Blocker, ObservedState, Standing

# So many calls in a row without an answer are a doubt; so many accounts that were to be changed are
# trouble, whatever is told of the parent: accounts may be seen then, and not changed.
DOUBT_MIN = 3
NAMES_MAX = 10

NOT_ACTIVE_CODES = frozenset({10001, 20005, 21472})
# Such a refusal may be the account's or the parent's; asking for the parent tells.
DOUBTFUL_CODES = NOT_ACTIVE_CODES | {20003, 20008}
# Where the parent itself is asked for; without a code of Twilio's it is HTTP's.
CREDENTIALS_CODES = frozenset({20003, 20008, 20404, 401, 403, 404})
PARENT_IS_SUSPENDED = "the parent account is suspended at Twilio (see its balance)"
PARENT_IS_CLOSED = "the parent account is closed at Twilio"


class TwilioState(StrEnum):
    """How Twilio as a whole stands to us."""

    OK = "OK"
    # It does not answer.
    UNAVAILABLE = "UNAVAILABLE"
    # The platform's own account may not do anything.
    PARENT_SUSPENDED = "PARENT_SUSPENDED"
    # It does not know the platform's own account with this token.
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"


BLOCKER_OF = {
    TwilioState.UNAVAILABLE: Blocker.TWILIO_UNAVAILABLE,
    TwilioState.PARENT_SUSPENDED: Blocker.PARENT_SUSPENDED,
    TwilioState.CREDENTIALS_REFUSED: Blocker.TWILIO_UNAVAILABLE,
}


def trouble_blockers(state: TwilioState) -> tuple[Blocker, ...]:
    """Return what keeps everybody from sending. It suspends nobody."""
    return () if state is TwilioState.OK else (BLOCKER_OF[state],)


def standing_with(state: TwilioState, standing: Standing) -> Standing:
    """Return how a subaccount stands, Twilio standing so."""
    return replace(standing, blockers=(*standing.blockers, *trouble_blockers(state)))


@dataclass(frozen=True, slots=True)
class TwilioHealth:
    """How Twilio stands, since when, what made it so, and who asks next whether it still does.

    A probe that is due while the state is OK tells what a doubtful refusal meant.
    """

    state: TwilioState
    since: datetime
    last_error: str
    # Calls in a row that got no answer.
    failure_count: int
    # Who was to be changed and got no answer since, while nobody else was changed.
    failing_names: tuple[str, ...]
    # Probes in trouble since a change succeeded last; the pauses between them grow with it.
    probe_count: int
    probe_due_time: datetime | None
    probe_number: int
    probe_lease_end_time: datetime | None

    @property
    def in_trouble(self) -> bool:
        """No subaccount is to be called for."""
        return self.state is not TwilioState.OK

    @property
    def in_doubt(self) -> bool:
        """A probe is to tell whether there is trouble."""
        return not self.in_trouble and self.probe_due_time is not None


@dataclass(frozen=True, slots=True)
class Call:
    """What came of a claim's calls, as far as it tells something about Twilio as a whole."""

    # Of the subaccount, or of the intent to have one.
    name: str
    claim_time: datetime
    failure: Failure | None
    changed: bool
    # An account was to be changed, or made. All else Twilio may fail to tell, and still do that.
    to_change: bool = True

    @property
    def is_doubtful(self) -> bool:
        """Whose trouble it is may have to be asked."""
        failure = self.failure
        return failure is not None and (failure.unanswered or failure.code in DOUBTFUL_CODES)

    def is_old_news(self, health: TwilioHealth) -> bool:
        """It began before Twilio came to stand as it does, and tells nothing of that."""
        return self.claim_time < health.since

    def is_twilios_failure(self, health: TwilioHealth) -> bool:
        """It failed in trouble, and not for the subaccount's sake: it counts against nobody."""
        if self.failure is None or not (health.in_trouble or self.is_old_news(health)):
            return False
        return self.failure.action is Action.PARENT or self.is_doubtful


def hear(health: TwilioHealth, call: Call, pause: timedelta, now: datetime) -> TwilioHealth:
    """Return what a call makes of it; once there is trouble, only a probe changes anything.

    A probe that finds the parent well does not forget whose calls failed before it: where they
    were many, the next one that fails is trouble again.
    """
    if health.in_trouble or call.is_old_news(health):
        return health
    failure = call.failure
    if failure is None:
        return _with_answer(health, call)
    if failure.action is Action.PARENT:
        return _in_trouble(health, TwilioState.PARENT_SUSPENDED, failure.message, pause, now)
    if failure.unanswered:
        return _without_answer(health, call, failure.message, pause, now)
    return _in_doubt(health, now) if call.is_doubtful else health


def _with_answer(health: TwilioHealth, call: Call) -> TwilioHealth:
    """What can be seen may be what cannot be changed: only a change speaks for the others."""
    if call.to_change and call.changed:
        return replace(health, failure_count=0, failing_names=(), probe_count=0)
    others = tuple(name for name in health.failing_names if name != call.name)
    return replace(health, failure_count=0, failing_names=others)


def _without_answer(
    health: TwilioHealth, call: Call, message: str, pause: timedelta, now: datetime
) -> TwilioHealth:
    names = dict.fromkeys((*health.failing_names, *([call.name] if call.to_change else [])))
    counted = replace(
        health,
        failure_count=health.failure_count + 1,
        failing_names=tuple(names)[:NAMES_MAX],
    )
    if call.to_change and len(names) >= NAMES_MAX:
        return _in_trouble(counted, TwilioState.UNAVAILABLE, message, pause, now)
    return _in_doubt(counted, now) if counted.failure_count >= DOUBT_MIN else counted


def _in_doubt(health: TwilioHealth, now: datetime) -> TwilioHealth:
    return replace(health, probe_due_time=health.probe_due_time or now)


def _in_trouble(
    health: TwilioHealth, state: TwilioState, message: str, pause: timedelta, now: datetime
) -> TwilioHealth:
    since = health.since if state is health.state else now
    return replace(health, state=state, since=since, last_error=message, probe_due_time=now + pause)


def claim_probe(health: TwilioHealth, lease: timedelta, now: datetime) -> TwilioHealth | None:
    """Return it as it is while one process asks for the parent; None if nobody is to, or may."""
    if health.probe_due_time is None or health.probe_due_time > now:
        return None
    if health.probe_lease_end_time is not None and health.probe_lease_end_time > now:
        return None
    return replace(
        health,
        probe_count=health.probe_count + health.in_trouble,
        probe_due_time=now + lease,
        probe_number=health.probe_number + 1,
        probe_lease_end_time=now + lease,
    )


def record_probe(
    health: TwilioHealth,
    claimed: TwilioHealth,
    found: ObservedState | Failure,
    pause: timedelta,
    now: datetime,
) -> TwilioHealth:
    """Return what asking for the parent makes of it; a claim that has been overtaken, nothing."""
    if health.probe_number != claimed.probe_number or health.probe_lease_end_time is None:
        return health
    ended = replace(health, probe_due_time=now + pause, probe_lease_end_time=None)
    if not isinstance(found, Failure):
        return _with_parent(ended, found, pause, now)
    if found.unanswered:
        return _unprobed(ended, found.message, pause, now)
    if found.action is Action.PARENT or found.code in NOT_ACTIVE_CODES:
        return _in_trouble(ended, TwilioState.PARENT_SUSPENDED, found.message, pause, now)
    if found.code in CREDENTIALS_CODES:
        return _in_trouble(ended, TwilioState.CREDENTIALS_REFUSED, found.message, pause, now)
    # Too many calls, a defect of ours or a code that nobody knows tell nothing of the parent.
    return ended


def _unprobed(ended: TwilioHealth, message: str, pause: timedelta, now: datetime) -> TwilioHealth:
    """Of trouble that is known already it says nothing."""
    if ended.in_trouble:
        return ended
    counted = replace(ended, failure_count=ended.failure_count + 1)
    if counted.failure_count < DOUBT_MIN:
        return counted
    return _in_trouble(counted, TwilioState.UNAVAILABLE, message, pause, now)


def _with_parent(
    ended: TwilioHealth, parent: ObservedState, pause: timedelta, now: datetime
) -> TwilioHealth:
    if parent is not ObservedState.ACTIVE:
        closed = parent is ObservedState.CLOSED
        message = PARENT_IS_CLOSED if closed else PARENT_IS_SUSPENDED
        return _in_trouble(ended, TwilioState.PARENT_SUSPENDED, message, pause, now)
    since = now if ended.in_trouble else ended.since
    return replace(
        ended,
        state=TwilioState.OK,
        since=since,
        last_error="",
        failure_count=0,
        probe_due_time=None,
    )
