"""How long is waited after a failure, and until the next look."""

from datetime import timedelta

from services.telephony.domain.failures import TOO_MANY_CALLS, Action, refusal
from services.telephony.operations.backing_off import BackOff, jittered

BACK_OFF = BackOff(max_seconds=30.0, refused_max_seconds=300.0)
TIMES = 50


def test_twilio_may_ask_to_wait_and_no_suspension_is_put_off_for_ever() -> None:
    for asked_seconds, seconds in ((5, 5), (60, 60), (600, 60)):
        busy = refusal(TOO_MANY_CALLS, "busy", retry_after_seconds=asked_seconds)
        assert BACK_OFF.delay(busy, 0) == timedelta(seconds=seconds)


def test_what_failed_together_is_not_tried_again_together() -> None:
    for action in Action:
        waits = {BACK_OFF.seconds(action, 3) for _ in range(TIMES)}
        assert len(waits) > TIMES / 2
        assert max(waits) <= 2 * min(waits)


def test_what_was_looked_at_together_is_not_looked_at_together_again() -> None:
    waits = {jittered(100.0) for _ in range(TIMES)}
    assert len(waits) > TIMES / 2
    assert min(waits) >= 75.0
    assert max(waits) <= 125.0
