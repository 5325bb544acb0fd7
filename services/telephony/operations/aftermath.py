"""Ends what goes on after a suspension: calls in progress, and messages that are scheduled.

It can end and cancel, and nothing else: whatever Twilio answers, no account is activated here.
"""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta

from libs.database import Database, DatabaseUnavailableError
from libs.logs import get_logger
from services.telephony.domain.aftermath import (
    FIRST_PAGE,
    Aftermath,
    AftermathAnswer,
    Endings,
)
from services.telephony.domain.failures import ADVICE_OF, Action, Failure, defect, no_usable_answer
from services.telephony.operations.backing_off import BackOff, jittered
from services.telephony.operations.claiming import Claim
from services.telephony.operations.recording import names
from services.telephony.operations.trouble import TwilioTrouble
from services.telephony.ports import TwilioError, TwilioRefusedError, TwilioTraffic
from services.telephony.storage import subaccounts

# In one claim, so that nothing else of the subaccount waits for long.
ENDED_AT_ONCE_MAX = 20
PAGES_AT_ONCE_MAX = 10
# There is no such call or message any more, or it has ended by itself.
GONE_CODES = frozenset({20404, 21220, 30409})


@dataclass
class Look:
    """One look at a subaccount's traffic, and what has come of it so far."""

    claim: Claim
    aftermath: Aftermath
    message_page: str | None
    message_refused: bool
    found_call_count: int | None = None
    ended_call_count: int = 0
    canceled_message_count: int = 0
    tried_count: int = 0
    # There is more than was tried.
    more: bool = False
    # Nothing more is asked of Twilio: the account was refused, or the suspension is lifted.
    is_over: bool = False
    errors: list[TwilioError] = field(default_factory=list)

    @property
    def account_sid(self) -> str:
        """Whose traffic it is."""
        return self.claim.subaccount.account_sid

    @property
    def got_on(self) -> bool:
        """Something was ended, or more of the messages read."""
        ended = self.ended_call_count + self.canceled_message_count
        return ended > 0 or self.message_page != self.aftermath.message_page


class Ending:
    """Looks at what a suspended subaccount still has going on, and ends it."""

    def __init__(
        self,
        database: Database,
        twilio: TwilioTraffic,
        trouble: TwilioTrouble,
        back_off: BackOff,
        endings: Endings,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._trouble = trouble
        self._back_off = back_off
        self._endings = endings

    async def drive(self, claim: Claim) -> AftermathAnswer:
        """Look and end; a defect with one subaccount is a failure of that one."""
        aftermath = claim.subaccount.aftermath
        assert aftermath is not None
        look = Look(claim, aftermath, aftermath.message_page, aftermath.message_refused)
        if look.message_page is None and look.message_refused:
            # All are read once more, for some could not be canceled the last time.
            look.message_page, look.message_refused = FIRST_PAGE, False
        try:
            async with asyncio.timeout_at(claim.deadline):
                await self._end_calls(look)
                await self._cancel_messages(look)
        except TimeoutError:
            return self._answer(look, no_usable_answer("the lease ended before Twilio answered"))
        except TwilioError as error:
            look.errors.append(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, other subaccounts go on
            get_logger().exception("aftermath_defect", **names(claim))
            return self._answer(look, defect(error))
        return self._answer(look, look.errors[-1].failure if look.errors else None)

    async def _end_calls(self, look: Look) -> None:
        if not self._endings.calls:
            return
        call_sids = await self._twilio.list_open_calls(look.account_sid)
        look.found_call_count = len(call_sids)
        # So that those which cannot be ended do not keep the others for ever.
        random.shuffle(call_sids)
        for call_sid in call_sids:
            if not await self._may_go_on(look):
                return
            if await self._try(look, self._twilio.end_call(look.account_sid, call_sid)):
                look.ended_call_count += 1

    async def _cancel_messages(self, look: Look) -> None:
        if not self._endings.scheduled_messages:
            return
        for _ in range(PAGES_AT_ONCE_MAX):
            if look.message_page is None or look.is_over or look.more:
                return
            page = await self._twilio.list_scheduled_messages(look.account_sid, look.message_page)
            random.shuffle(page.message_sids)
            for message_sid in page.message_sids:
                if not await self._may_go_on(look):
                    return
                if await self._cancel(look, message_sid):
                    look.canceled_message_count += 1
            look.message_page = page.next_page
        look.more = look.message_page is not None

    async def _cancel(self, look: Look, message_sid: str) -> bool:
        error_count = len(look.errors)
        request = self._twilio.cancel_message(look.account_sid, message_sid)
        canceled = await self._try(look, request)
        look.message_refused |= len(look.errors) > error_count
        return canceled

    async def _may_go_on(self, look: Look) -> bool:
        """Tell whether one more may be ended: Twilio can be used, and the suspension stands."""
        left_seconds = look.claim.deadline - asyncio.get_running_loop().time()
        if (
            look.tried_count == ENDED_AT_ONCE_MAX
            or left_seconds < self._endings.call_timeout_seconds
            or not self._trouble.may_call
        ):
            look.more = True
            return False
        look.is_over = look.is_over or not await self._stands(look.claim)
        return not look.is_over

    async def _stands(self, claim: Claim) -> bool:
        try:
            standing = await self._database.run(subaccounts.read, claim.subaccount.account_sid)
        except DatabaseUnavailableError:
            return False
        return (
            standing is not None
            and standing.subaccount.stopped
            and standing.subaccount.is_held_by(claim.subaccount)
        )

    async def _try(self, look: Look, request: Awaitable[None]) -> bool:
        """Tell whether it was ended; a refusal that is not the account's leaves the others."""
        look.tried_count += 1
        try:
            await request
        except TwilioRefusedError as error:
            if error.failure.code in GONE_CODES:
                return False
            if error.failure.code in ADVICE_OF:
                raise
            look.errors.append(error)
            return False
        return True

    def _answer(self, look: Look, failure: Failure | None) -> AftermathAnswer:
        if failure:
            self._log(look, failure)
        clear = failure is None and self._is_clear(look)
        goes_on = look.more and look.got_on and not look.is_over
        return AftermathAnswer(
            ended_call_count=look.ended_call_count,
            canceled_message_count=look.canceled_message_count,
            found_call_count=look.found_call_count,
            message_page=look.message_page,
            message_refused=look.message_refused,
            clear=clear,
            goes_on=goes_on,
            next_delay=self._next_delay(look, failure, clear=clear),
            failure=failure,
        )

    def _is_clear(self, look: Look) -> bool:
        no_calls = not self._endings.calls or look.found_call_count == 0
        no_messages = not self._endings.scheduled_messages or look.message_page is None
        return no_calls and no_messages and not look.message_refused

    def _next_delay(self, look: Look, failure: Failure | None, *, clear: bool) -> timedelta:
        retry_count = look.aftermath.attempt_count
        if failure:
            return self._back_off.delay(failure, retry_count)
        if not clear:
            return timedelta(seconds=self._back_off.seconds(Action.RETRY, retry_count))
        is_first = look.aftermath.clear_time is None
        endings = self._endings
        # Twilio's lists may be a little behind what has happened.
        seconds = endings.recheck_seconds if is_first else jittered(endings.sweep_seconds)
        return timedelta(seconds=seconds)

    def _log(self, look: Look, failure: Failure) -> None:
        log = get_logger().warning if failure.action is Action.RETRY else get_logger().error
        log(
            "aftermath_failed",
            error=failure.message,
            action=failure.action,
            account_sid=look.account_sid,
            ended_call_count=look.ended_call_count,
            found_call_count=look.found_call_count,
        )
