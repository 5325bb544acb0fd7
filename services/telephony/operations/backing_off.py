"""How long is waited after a failure, and until what stands well is looked at again."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from libs.workers import back_off_seconds
from services.telephony.domain.failures import Action, Failure

BACK_OFF_BASE_SECONDS = 0.5
WAIT_BACK_OFF_BASE_SECONDS = 10.0
# However long Twilio asks to wait: a suspension is not put off for ever.
RETRY_AFTER_SECONDS_MAX = 60.0
# So that what was looked at together is not looked at together again.
SWEEP_JITTER = (0.75, 1.25)


@dataclass(frozen=True, slots=True)
class BackOff:
    """Pauses that grow, up to a limit for each kind of failure."""

    max_seconds: float
    refused_max_seconds: float

    def delay(self, failure: Failure, retry_count: int) -> timedelta:
        """Return how long to wait after a failure; Twilio may ask for more."""
        asked_seconds = min(failure.retry_after_seconds, RETRY_AFTER_SECONDS_MAX)
        return timedelta(seconds=max(self.seconds(failure.action, retry_count), asked_seconds))

    def seconds(self, action: Action, retry_count: int) -> float:
        """Return the pause before the next attempt."""
        longest = self.refused_max_seconds
        match action:
            case Action.RETRY:
                return back_off_seconds(retry_count, BACK_OFF_BASE_SECONDS, self.max_seconds)
            case Action.WAIT | Action.PARENT:
                return back_off_seconds(retry_count, WAIT_BACK_OFF_BASE_SECONDS, longest)
            case Action.OPERATOR:
                return back_off_seconds(0, longest, longest)
            case _:
                assert_never(action)


def jittered(seconds: float) -> float:
    """Return about as many seconds."""
    return seconds * random.uniform(*SWEEP_JITTER)
