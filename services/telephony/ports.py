"""What the service needs of Twilio."""

from typing import Protocol

from services.telephony.domain.values import ObservedState, WantedState


class TwilioError(Exception):
    """A call to Twilio came to nothing. The message may be logged and shown."""

    retry_after_seconds = 0.0


class TwilioUnavailableError(TwilioError):
    """No usable answer: whether Twilio did what it was asked is open. It passes by itself."""


class TwilioBusyError(TwilioError):
    """Twilio takes no more calls for a while, and did not process this one."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("Twilio answered HTTP 429: too many calls at once")
        self.retry_after_seconds = retry_after_seconds


class TwilioRefusedError(TwilioError):
    """Twilio said no and did nothing; most often a person must see to it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"Twilio refused with code {code}: {message}")
        self.code = code


class TwilioAccounts(Protocol):
    """Twilio's accounts. Every call ends within a time limit, in an answer or in a TwilioError."""

    async def fetch_status(self, account_sid: str) -> ObservedState:
        """Return how an account stands; never UNKNOWN."""
        ...

    async def set_status(self, account_sid: str, wanted: WantedState) -> ObservedState:
        """Ask for a state and return how the account stands then; never UNKNOWN."""
        ...
