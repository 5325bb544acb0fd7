"""What follows from each way in which a call to Twilio can fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What is done about a failure."""

    # It passes by itself: again soon, with growing pauses.
    RETRY = "RETRY"
    # It passes once somebody has seen to it: again with long and growing pauses, and people told.
    WAIT = "WAIT"
    # It stays until somebody has seen to it: people are told, and it is tried again now and then.
    OPERATOR = "OPERATOR"
    # It is not this subaccount's: the platform's own account may not change any.
    PARENT = "PARENT"


@dataclass(frozen=True, slots=True)
class Advice:
    """What is done, and what people are told to do."""

    action: Action
    next_step: str


TOO_MANY_CALLS = 20429

# Twilio's codes, as their documentation explains them.
ADVICE_OF: Mapping[int, Advice] = {
    10001: Advice(Action.WAIT, "the account is not active; see Twilio's console"),
    20003: Advice(Action.WAIT, "check the credentials, and whether the parent account is active"),
    20005: Advice(Action.WAIT, "the account is not active; see Twilio's console"),
    20008: Advice(Action.OPERATOR, "these are test credentials; configure the live ones"),
    20404: Advice(Action.OPERATOR, "there is no such account below the parent; check the SID"),
    TOO_MANY_CALLS: Advice(Action.RETRY, "nothing; Twilio takes no more calls for a moment"),
    21472: Advice(Action.WAIT, "the account is not active; see Twilio's console"),
    21475: Advice(Action.OPERATOR, "Twilio does not know the state that was asked for; a defect"),
    21476: Advice(Action.PARENT, "the parent account is suspended; see its balance"),
    21477: Advice(Action.OPERATOR, "this is a parent account; it must not be registered"),
    21478: Advice(Action.OPERATOR, "Twilio itself suspended it; talk to Twilio's support"),
    21479: Advice(Action.OPERATOR, "the account is closed for ever; register another"),
    21480: Advice(Action.WAIT, "the parent has too many active subaccounts; ask for more"),
}
UNKNOWN_CODE = Advice(Action.WAIT, "see Twilio's documentation of this code")


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that came to nothing. The message may be logged and shown."""

    action: Action
    message: str
    # Twilio's, 0 if it did not say one.
    code: int = 0
    # Nobody answered, or nothing that could be used.
    unanswered: bool = False
    # Twilio's, 0 if it did not ask for any.
    retry_after_seconds: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether what was asked for was done is not known: Twilio did not say no."""
        return not self.code


def no_usable_answer(message: str) -> Failure:
    """Return the failure of a call whose outcome is open: no answer, or none that says anything."""
    text = f"{message} (wait; if it lasts, see Twilio's status page)"
    return Failure(Action.RETRY, text, unanswered=True)


def refusal(code: int, message: str, retry_after_seconds: float = 0.0) -> Failure:
    """Return the failure of a call to which Twilio said no."""
    advice = ADVICE_OF.get(code, UNKNOWN_CODE)
    text = f"{message} ({advice.next_step})"
    return Failure(advice.action, text, code, retry_after_seconds=retry_after_seconds)


def defect(error: Exception) -> Failure:
    """Return the failure of what went wrong on our side, and says nothing of Twilio."""
    return Failure(Action.RETRY, f"internal error: {type(error).__name__} (see the service's log)")
