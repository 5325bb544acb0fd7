"""Calls Twilio for one subaccount that is claimed, outside of every transaction."""

import asyncio
from datetime import timedelta

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.logs import get_logger
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.failures import Action, Failure, defect, no_usable_answer
from services.telephony.domain.reconciling import Answer, needs_driving
from services.telephony.domain.trouble import PARENT_IS_SUSPENDED
from services.telephony.domain.values import (
    ObservedState,
    Subaccount,
    SuspensionPolicy,
    WantedState,
)
from services.telephony.operations.backing_off import BackOff, jittered
from services.telephony.operations.claiming import Claim
from services.telephony.operations.recording import names
from services.telephony.operations.settling import settle
from services.telephony.ports import TwilioAccounts, TwilioError, TwilioRefusedError
from services.telephony.storage import subaccounts

PARENT_NOT_ACTIVE = Failure(Action.PARENT, PARENT_IS_SUSPENDED)


class Driving:
    """Brings a subaccount nearer to what is wanted of it, or tells why that failed."""

    def __init__(
        self,
        database: Database,
        twilio: TwilioAccounts,
        policy: SuspensionPolicy,
        *,
        parent_account_sid: str,
        back_off: BackOff,
        sweep_seconds: float,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._policy = policy
        self._parent_account_sid = parent_account_sid
        self._back_off = back_off
        self._sweep_seconds = sweep_seconds

    async def drive(self, claim: Claim) -> Answer:
        """Call Twilio; a defect with one subaccount is a failure of that one."""
        try:
            async with asyncio.timeout_at(claim.deadline):
                return await self._drive(claim.subaccount)
        except TimeoutError:
            failure = no_usable_answer("the lease ended before Twilio answered")
        except Exception as error:  # noqa: BLE001 - whatever it is, other subaccounts go on
            get_logger().exception("reconcile_defect", **names(claim))
            failure = defect(error)
        return self._failed(claim.subaccount, failure, ObservedState.UNKNOWN)

    async def _drive(self, claimed: Subaccount) -> Answer:
        wanted = claimed.wanted
        if wanted is WantedState.SUSPENDED and claimed.drifted:
            return await self._change(claimed, wanted)
        looked = await self._look(claimed)
        if wanted is None or not claimed.drifted or looked.observed is None:
            # What was as wanted and is not any more is written down before it is mended.
            return looked
        if not needs_driving(wanted, looked.observed):
            return looked
        # The look took its time; what was committed meanwhile counts.
        try:
            is_still_wanted = await self._database.transact(_is_still_wanted, claimed, self._policy)
        except DatabaseUnavailableError:
            is_still_wanted = False
        if not is_still_wanted:
            return looked
        return await self._change(claimed, wanted)

    async def _look(self, claimed: Subaccount) -> Answer:
        try:
            observed = await self._twilio.fetch_status(claimed.account_sid)
            if observed is ObservedState.SUSPENDED and claimed.told is not ObservedState.SUSPENDED:
                # By whom? Below a suspended parent every account looks so, until the parent is not.
                parent = await self._twilio.fetch_status(self._parent_account_sid)
                if parent is not ObservedState.ACTIVE:
                    return self._failed(claimed, PARENT_NOT_ACTIVE, None)
                observed = await self._twilio.fetch_status(claimed.account_sid)
        except TwilioError as error:
            return self._failed(claimed, error.failure, None)
        return Answer(observed, self._until_next_look(), looked=True)

    async def _change(self, claimed: Subaccount, wanted: WantedState) -> Answer:
        try:
            observed = await self._twilio.set_status(claimed.account_sid, wanted)
        except TwilioRefusedError as error:
            return await self._look_after_refusal(claimed, wanted, error.failure)
        except TwilioError as error:
            observed_now = ObservedState.UNKNOWN if error.failure.is_open else None
            return self._failed(claimed, error.failure, observed_now)
        if needs_driving(wanted, observed):
            unchanged = Failure(Action.RETRY, f"Twilio left the account {observed}")
            return self._failed(claimed, unchanged, observed)
        return Answer(observed, self._until_next_look())

    async def _look_after_refusal(
        self, claimed: Subaccount, wanted: WantedState, failure: Failure
    ) -> Answer:
        """A refused account may be closed, or stand as wanted already."""
        if failure.action is Action.PARENT:
            # Below a suspended parent every account looks suspended, until the parent is not.
            return self._failed(claimed, failure, None)
        looked = await self._look(claimed)
        if looked.observed is not None and not needs_driving(wanted, looked.observed):
            return looked
        return self._failed(claimed, failure, looked.observed)

    def _until_next_look(self) -> timedelta:
        return timedelta(seconds=jittered(self._sweep_seconds))

    def _failed(
        self, claimed: Subaccount, failure: Failure, observed: ObservedState | None
    ) -> Answer:
        log = get_logger().warning if failure.action is Action.RETRY else get_logger().error
        log(
            "twilio_call_failed",
            error=failure.message,
            action=failure.action,
            account_sid=claimed.account_sid,
            attempt_count=claimed.attempt_count,
        )
        return Answer(observed, self._back_off.delay(failure, claimed.attempt_count - 1), failure)


async def _is_still_wanted(
    connection: Connection, claimed: Subaccount, policy: SuspensionPolicy
) -> bool:
    await settle(connection, claimed.organization_id, Reevaluate(), policy)
    found = (await subaccounts.find(connection, [claimed.account_sid]))[claimed.account_sid]
    return found.is_held_by(claimed) and found.wanted is claimed.wanted
