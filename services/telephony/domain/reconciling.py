"""Driving a subaccount: when Twilio is called, who may call it, and what an answer changes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.telephony.domain.values import ObservedState, Subaccount, WantedState


def needs_driving(wanted: WantedState | None, observed: ObservedState) -> bool:
    """Tell whether Twilio is to be called. A closed account never is: it stays closed for ever."""
    if observed is ObservedState.CLOSED:
        return False
    return observed is ObservedState.UNKNOWN or (
        wanted is not None and observed is not wanted.observed
    )


def states_to_drive(wanted: WantedState | None) -> tuple[ObservedState, ...]:
    """Return the observed states from which Twilio is to be driven to what is wanted."""
    return tuple(state for state in ObservedState if needs_driving(wanted, state))


@dataclass(frozen=True, slots=True)
class ReconcileTiming:
    """How long a claim holds, and when to look again after an outcome that stayed open."""

    lease: timedelta
    recheck_delay: timedelta


def claim(subaccount: Subaccount, timing: ReconcileTiming, now: datetime) -> Subaccount:
    """Return the subaccount as it is while one process drives it.

    From here until the answer is recorded its state at Twilio is open, even if the process dies.
    """
    abandoned = subaccount.lease_end_time is not None
    lease_end_time = now + timing.lease
    return replace(
        subaccount,
        observed=ObservedState.UNKNOWN if subaccount.drifted else subaccount.observed,
        attempt_count=subaccount.attempt_count + 1,
        next_attempt_time=lease_end_time,
        claim_number=subaccount.claim_number + 1,
        lease_end_time=lease_end_time,
        recheck_time=now + timing.recheck_delay if abandoned else subaccount.recheck_time,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of driving a subaccount.

    `observed` is None if nothing was learned, UNKNOWN if a change was sent whose outcome is open.
    """

    observed: ObservedState | None
    error: str = ""
    retry_delay: timedelta = timedelta(0)

    @property
    def learned(self) -> bool:
        """Twilio said how the subaccount stands."""
        return self.observed not in (None, ObservedState.UNKNOWN)


def record(
    subaccount: Subaccount,
    claimed: Subaccount,
    answer: Answer,
    timing: ReconcileTiming,
    now: datetime,
) -> Subaccount:
    """Return the subaccount after the answer to a claim, whatever is wanted of it since."""
    recorded = replace(
        subaccount,
        observed=answer.observed or subaccount.observed,
        last_error=answer.error,
        attempt_count=subaccount.attempt_count if answer.error else 0,
        lease_end_time=None,
        recheck_time=_recheck_time(subaccount, answer, timing, now),
        observe_time=now if answer.learned else subaccount.observe_time,
    )
    if recorded.wanted is not claimed.wanted and not needs_driving(
        recorded.wanted, recorded.observed
    ):
        # It stands as is wanted now: what went wrong with what was wanted then is over.
        recorded = replace(recorded, last_error="", attempt_count=0)
    next_attempt_time = _next_attempt_time(recorded, claimed, answer, now)
    return replace(recorded, next_attempt_time=next_attempt_time)


def _recheck_time(
    subaccount: Subaccount, answer: Answer, timing: ReconcileTiming, now: datetime
) -> datetime | None:
    if answer.observed is ObservedState.CLOSED:
        return None
    if answer.observed is ObservedState.UNKNOWN:
        return now + timing.recheck_delay
    due = subaccount.recheck_time is not None and subaccount.recheck_time <= now
    return None if due and not answer.error else subaccount.recheck_time


def _next_attempt_time(
    recorded: Subaccount, claimed: Subaccount, answer: Answer, now: datetime
) -> datetime | None:
    if recorded.observed is ObservedState.CLOSED:
        return None
    if answer.error and recorded.wanted is claimed.wanted:
        return now + answer.retry_delay
    if needs_driving(recorded.wanted, recorded.observed):
        return now
    return recorded.recheck_time
