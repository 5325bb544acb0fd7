"""What is still to be ended of a subaccount after it was suspended: calls, and scheduled messages.

A suspension lets no new call begin, but a call in progress goes on and costs money.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.telephony.domain.failures import Failure

# Where the reading of an account's messages begins.
FIRST_PAGE = ""


@dataclass(frozen=True, slots=True)
class Endings:
    """What is to be ended, and how long is waited between looks."""

    calls: bool
    scheduled_messages: bool
    call_timeout_seconds: float
    recheck_seconds: float
    sweep_seconds: float


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was ended since a subaccount stands suspended as wanted, and what is left."""

    begin_time: datetime
    due_time: datetime
    # Looks since the last one that got on.
    attempt_count: int = 0
    ended_call_count: int = 0
    canceled_message_count: int = 0
    # Calls that the last look found.
    found_call_count: int = 0
    # Where the reading of messages goes on; None once all have been read.
    message_page: str | None = FIRST_PAGE
    # Some that was read could not be canceled.
    message_refused: bool = False
    # Since when nothing is left.
    clear_time: datetime | None = None
    last_error: str = ""
    failing_time: datetime | None = None

    @property
    def told(self) -> tuple[object, ...]:
        """What of it is a line of history when it changes."""
        is_clear = self.clear_time is not None
        ended = (self.ended_call_count, self.canceled_message_count) if is_clear else (0, 0)
        return self.failing_time, ended


def begin_aftermath(now: datetime) -> Aftermath:
    """Return what follows a suspension: it is looked at at once."""
    return Aftermath(begin_time=now, due_time=now)


@dataclass(frozen=True, slots=True)
class AftermathAnswer:
    """What came of one look, and of ending some of what it found."""

    ended_call_count: int
    canceled_message_count: int
    # None if Twilio did not say.
    found_call_count: int | None
    message_page: str | None
    message_refused: bool
    # Nothing is left of what is to be ended.
    clear: bool
    # It got on, and there is more to do.
    goes_on: bool
    next_delay: timedelta
    failure: Failure | None
    # A failure is the subaccount's, and not all of Twilio's.
    counts: bool = True

    @property
    def changed(self) -> bool:
        """Twilio has ended something."""
        return self.ended_call_count + self.canceled_message_count > 0


def continue_aftermath(aftermath: Aftermath, answer: AftermathAnswer, now: datetime) -> Aftermath:
    """Return what is left after a look."""
    found = answer.found_call_count
    looked = replace(
        aftermath,
        due_time=now,
        ended_call_count=aftermath.ended_call_count + answer.ended_call_count,
        canceled_message_count=aftermath.canceled_message_count + answer.canceled_message_count,
        found_call_count=aftermath.found_call_count if found is None else found,
        message_page=answer.message_page,
        message_refused=answer.message_refused,
    )
    if not answer.counts:
        return replace(looked, clear_time=None if found else aftermath.clear_time)
    continued = replace(
        looked,
        due_time=now if answer.goes_on else now + answer.next_delay,
        attempt_count=0 if answer.goes_on or answer.clear else aftermath.attempt_count + 1,
        clear_time=(aftermath.clear_time or now) if answer.clear else None,
    )
    if answer.failure:
        since = aftermath.failing_time or now
        return replace(continued, last_error=answer.failure.message, failing_time=since)
    # What refused stays told until all has been looked at once more.
    if answer.message_refused or answer.goes_on:
        return continued
    return replace(continued, last_error="", failing_time=None)
