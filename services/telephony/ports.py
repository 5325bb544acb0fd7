"""What the service needs of Twilio."""

from dataclasses import dataclass
from typing import Protocol

from services.telephony.domain.failures import (
    TOO_MANY_CALLS,
    Failure,
    no_usable_answer,
    refusal,
)
from services.telephony.domain.provisioning import TwilioAccount
from services.telephony.domain.values import ObservedState, WantedState


class TwilioError(Exception):
    """A call to Twilio came to nothing. The failure's message may be logged and shown."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class TwilioUnavailableError(TwilioError):
    """No usable answer: whether Twilio did what it was asked is open. It passes by itself."""

    def __init__(self, message: str) -> None:
        super().__init__(no_usable_answer(message))


class TwilioBusyError(TwilioError):
    """Twilio takes no more calls for a while, and did not process this one."""

    def __init__(self, retry_after_seconds: float) -> None:
        message = "Twilio answered HTTP 429: too many calls at once"
        super().__init__(refusal(TOO_MANY_CALLS, message, retry_after_seconds))


class TwilioRefusedError(TwilioError):
    """Twilio said no and did nothing."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(refusal(code, f"Twilio refused with code {code}: {message}"))


class TwilioAccounts(Protocol):
    """Twilio's accounts. Every call ends within a time limit, in an answer or in a TwilioError."""

    async def fetch_status(self, account_sid: str) -> ObservedState:
        """Return how an account stands; never UNKNOWN."""
        ...

    async def set_status(self, account_sid: str, wanted: WantedState) -> ObservedState:
        """Ask for a state and return how the account stands then; never UNKNOWN."""
        ...


class TwilioAccountMaker(TwilioAccounts, Protocol):
    """Twilio's accounts, and how more of them are made."""

    async def list_accounts(self, friendly_name: str) -> list[TwilioAccount]:
        """Return the accounts of a name, closed ones among them."""
        ...

    async def create_account(self, friendly_name: str) -> TwilioAccount:
        """Make an account; two calls make two."""
        ...


@dataclass(frozen=True, slots=True)
class ScheduledMessages:
    """Those on one page of an account's messages, and where to read on; None: there is no more."""

    message_sids: list[str]
    next_page: str | None


class TwilioTraffic(Protocol):
    """What accounts have going on. Time limits and errors are as those of TwilioAccounts."""

    async def list_open_calls(self, account_sid: str) -> list[str]:
        """Return calls that have not ended, by their SID, as many as a page has of each kind."""
        ...

    async def end_call(self, account_sid: str, call_sid: str) -> None:
        """Ask for a call's end, whether or not it was answered yet."""
        ...

    async def list_scheduled_messages(self, account_sid: str, page: str) -> ScheduledMessages:
        """Return what is scheduled among the messages of a page, `""` being the newest ones."""
        ...

    async def cancel_message(self, account_sid: str, message_sid: str) -> None:
        """Let a scheduled message never be sent."""
        ...
