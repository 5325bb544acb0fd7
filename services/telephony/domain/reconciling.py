"""Driving a subaccount: when Twilio is called, who may call it, and what an answer changes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.telephony.domain.aftermath import (
    AftermathAnswer,
    begin_aftermath,
    continue_aftermath,
)
from services.telephony.domain.changes import ChangeCause, Reason
from services.telephony.domain.failures import Failure
from services.telephony.domain.values import ObservedState, Subaccount, WantedState


def needs_driving(wanted: WantedState | None, observed: ObservedState) -> bool:
    """Tell whether Twilio is to be called. Of a closed account nothing is asked any more."""
    if observed is ObservedState.CLOSED:
        return False
    return observed is ObservedState.UNKNOWN or (
        wanted is not None and observed is not wanted.observed
    )


def want(subaccount: Subaccount, wanted: WantedState | None, now: datetime) -> Subaccount:
    """Return the subaccount of which something else is wanted: Twilio is asked at once.

    What failed before was another wish: this one is as good as untried. Who drives it at this
    moment keeps the right to until the lease ends.
    """
    closed = subaccount.observed is ObservedState.CLOSED
    # A person may have asked for a look at it.
    next_attempt_time = subaccount.next_attempt_time if closed else now
    changed = replace(subaccount, wanted=wanted, next_attempt_time=next_attempt_time)
    return _with_what_follows(_without_failure(changed), now)


@dataclass(frozen=True, slots=True)
class ReconcileTiming:
    """How long a claim holds, and when to look again after an outcome that stayed open."""

    lease: timedelta
    recheck_delay: timedelta

    def claim_time(self, lease_end_time: datetime | None) -> datetime:
        """Return when a claim that is held until then was made."""
        assert lease_end_time is not None
        return lease_end_time - self.lease

    @property
    def probe_lease(self) -> timedelta:
        """Half of it, since a probe is one call and never two."""
        return self.lease / 2


def claim(subaccount: Subaccount, timing: ReconcileTiming, now: datetime) -> Subaccount:
    """Return the subaccount as it is while one process drives it.

    From here until the answer is recorded its state at Twilio is open, even if the process dies.
    """
    abandoned = subaccount.lease_end_time is not None
    # Who had the claim before may have changed it, or not; unless it was only to be looked at.
    is_open = abandoned and subaccount.observed is ObservedState.UNKNOWN
    lease_end_time = now + timing.lease
    return replace(
        subaccount,
        observed=ObservedState.UNKNOWN if subaccount.drifted else subaccount.observed,
        told=ObservedState.UNKNOWN if is_open else subaccount.told,
        attempt_count=subaccount.attempt_count + 1,
        next_attempt_time=lease_end_time,
        claim_number=subaccount.claim_number + 1,
        driving_claim_number=subaccount.claim_number + 1,
        lease_end_time=lease_end_time,
        recheck_time=now + timing.recheck_delay if is_open else subaccount.recheck_time,
    )


def give_back(subaccount: Subaccount, now: datetime) -> Subaccount:
    """Return the subaccount after a claim that came to nothing: Twilio was not called."""
    given_back = replace(
        subaccount,
        observed=subaccount.told,
        attempt_count=_attempt_count_before(subaccount),
        next_attempt_time=now,
        lease_end_time=None,
    )
    return _with_what_follows(given_back, now)


def claim_aftermath(subaccount: Subaccount, timing: ReconcileTiming, now: datetime) -> Subaccount:
    """Return the suspended subaccount as it is while one process ends what still goes on.

    Nothing is written ahead: whatever a process that dies has ended is not found again.
    """
    return replace(
        subaccount,
        claim_number=subaccount.claim_number + 1,
        lease_end_time=now + timing.lease,
    )


def give_back_aftermath(subaccount: Subaccount) -> Subaccount:
    """Return the subaccount after such a claim that came to nothing."""
    return replace(subaccount, lease_end_time=None)


def record_aftermath(subaccount: Subaccount, answer: AftermathAnswer, now: datetime) -> Subaccount:
    """Return the subaccount after a look at what still goes on, whatever is wanted of it since."""
    aftermath = subaccount.aftermath
    return replace(
        subaccount,
        lease_end_time=None,
        aftermath=aftermath and continue_aftermath(aftermath, answer, now),
    )


def _attempt_count_before(subaccount: Subaccount) -> int:
    """Without the claim's attempt, unless all were forgotten since."""
    return max(0, subaccount.attempt_count - 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of driving a subaccount.

    `observed` is None if nothing was learned, UNKNOWN if a change was sent whose outcome is open;
    `looked` tells that Twilio was asked how it stands, and nothing of ours had changed it; `counts`
    that a failure is the subaccount's, and not all of Twilio's.
    """

    observed: ObservedState | None
    next_delay: timedelta
    failure: Failure | None = None
    looked: bool = False
    counts: bool = True

    @property
    def learned(self) -> bool:
        """Twilio said how the subaccount stands."""
        return self.observed not in (None, ObservedState.UNKNOWN)

    @property
    def changed(self) -> bool:
        """Twilio has made a change."""
        return self.learned and not self.looked

    def reason(self, claimed: Subaccount) -> Reason:
        """Return why it stands otherwise than before, if it does.

        Only where no call of ours may have come late did somebody else change it.
        """
        known = claimed.told is not ObservedState.UNKNOWN and claimed.recheck_time is None
        return Reason(ChangeCause.DRIFT if self.looked and known else ChangeCause.TWILIO)


def record(
    subaccount: Subaccount,
    claimed: Subaccount,
    answer: Answer,
    timing: ReconcileTiming,
    now: datetime,
) -> Subaccount:
    """Return the subaccount after the answer to a claim, whatever is wanted of it since."""
    told = answer.observed or subaccount.told
    recorded = replace(
        subaccount,
        observed=told,
        told=told,
        lease_end_time=None,
        recheck_time=_recheck_time(subaccount, answer, timing, now),
        observe_time=now if answer.learned else subaccount.observe_time,
    )
    wanted_still = recorded.wanted is claimed.wanted
    if not answer.counts:
        recorded = replace(recorded, attempt_count=_attempt_count_before(recorded))
    elif answer.failure and _is_ours(recorded, wanted_still=wanted_still):
        recorded = _with_failure(recorded, answer.failure, now)
    else:
        # It was no failure, or one with what is closed or not wanted any more.
        recorded = _without_failure(recorded)
    next_attempt_time = _next_attempt_time(recorded, answer, now, wanted_still=wanted_still)
    return _with_what_follows(replace(recorded, next_attempt_time=next_attempt_time), now)


def _is_ours(subaccount: Subaccount, *, wanted_still: bool) -> bool:
    """Tell whether a failure matters to what is wanted of it now."""
    if subaccount.told is ObservedState.CLOSED:
        return False
    return wanted_still or needs_driving(subaccount.wanted, subaccount.told)


def _with_failure(subaccount: Subaccount, failure: Failure, now: datetime) -> Subaccount:
    since = subaccount.failing_time or now
    return replace(subaccount, last_error=failure.message, failing_time=since)


def _without_failure(subaccount: Subaccount) -> Subaccount:
    return replace(subaccount, last_error="", failing_time=None, attempt_count=0)


def _with_what_follows(subaccount: Subaccount, now: datetime) -> Subaccount:
    """Return it with what goes with being drifted, or suspended."""
    return replace(
        subaccount,
        drift_time=(subaccount.drift_time or now) if subaccount.drifted else None,
        aftermath=(subaccount.aftermath or begin_aftermath(now)) if subaccount.stopped else None,
    )


def _recheck_time(
    subaccount: Subaccount, answer: Answer, timing: ReconcileTiming, now: datetime
) -> datetime | None:
    if answer.observed is ObservedState.CLOSED:
        return None
    if answer.observed is ObservedState.UNKNOWN:
        return now + timing.recheck_delay
    due = subaccount.recheck_time is not None and subaccount.recheck_time <= now
    return None if due and not answer.failure else subaccount.recheck_time


def _next_attempt_time(
    recorded: Subaccount, answer: Answer, now: datetime, *, wanted_still: bool
) -> datetime | None:
    if recorded.observed is ObservedState.CLOSED:
        return None
    if not answer.counts:
        return now
    if answer.failure and wanted_still:
        return now + answer.next_delay
    if needs_driving(recorded.wanted, recorded.observed):
        return now
    return recorded.recheck_time or now + answer.next_delay
