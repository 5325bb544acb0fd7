"""Drives Twilio: claim, call, record."""

import asyncio
from datetime import timedelta

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.logs import get_logger
from libs.workers import back_off_seconds
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.reconciling import (
    Answer,
    ReconcileTiming,
    claim,
    needs_driving,
    record,
)
from services.telephony.domain.values import (
    Due,
    DueSearch,
    ObservedState,
    Subaccount,
    WantedState,
)
from services.telephony.operations.settling import settle
from services.telephony.ports import (
    TwilioAccounts,
    TwilioBusyError,
    TwilioError,
    TwilioRefusedError,
    TwilioUnavailableError,
)
from services.telephony.storage import due as due_storage
from services.telephony.storage import subaccounts

BACK_OFF_BASE_SECONDS = 0.5
REFUSED_BACK_OFF_BASE_SECONDS = 10.0
# However long Twilio asks to wait: a suspension is not put off for ever.
RETRY_AFTER_SECONDS_MAX = 60.0


class Reconciliation:
    """Drives Twilio until it stands as wanted, never two calls for one subaccount at a time.

    Claim, call, record: the claim and the record are transactions of their own under the lock of
    the organization, so an activation is only sent where nothing blocked when it was claimed.
    """

    def __init__(
        self,
        database: Database,
        twilio: TwilioAccounts,
        timing: ReconcileTiming,
        *,
        back_off_max_seconds: float,
        refused_back_off_max_seconds: float,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._timing = timing
        self._back_off_max_seconds = back_off_max_seconds
        self._refused_back_off_max_seconds = refused_back_off_max_seconds

    async def list_due(self, search: DueSearch) -> list[Due]:
        """Return what is to be driven now."""
        return await self._database.run(due_storage.list_due, search)

    async def reconcile(self, due: Due) -> None:
        """Drive one subaccount once, if nobody else does."""
        start_time = asyncio.get_running_loop().time()
        claimed = await self._database.transact(self._claim, due)
        if claimed is None:
            return
        # Measured from before the claim: when the lease ends, no call of it is under way.
        deadline = start_time + self._timing.lease.total_seconds()
        answer = await self._drive_or_explain(deadline, claimed)
        recorded = await self._database.transact(self._record, claimed, answer)
        event = "twilio_answer_recorded" if recorded else "twilio_answer_too_late"
        get_logger().info(event, observed=answer.observed, **_names(claimed))

    async def _claim(self, connection: Connection, due: Due) -> Subaccount | None:
        settlement = await settle(connection, due.organization_id, Reevaluate())
        subaccount = await subaccounts.find(connection, due.account_sid)
        if subaccount is None or not subaccount.is_claimable_at(settlement.now):
            return None
        claimed = claim(subaccount, self._timing, settlement.now)
        await subaccounts.save(connection, claimed)
        return claimed

    async def _is_still_wanted(self, connection: Connection, claimed: Subaccount) -> bool:
        await settle(connection, claimed.organization_id, Reevaluate())
        subaccount = await subaccounts.find(connection, claimed.account_sid)
        if subaccount is None or not subaccount.is_held_by(claimed):
            return False
        return subaccount.wanted is claimed.wanted

    async def _record(self, connection: Connection, claimed: Subaccount, answer: Answer) -> bool:
        settlement = await settle(connection, claimed.organization_id, Reevaluate())
        subaccount = await subaccounts.find(connection, claimed.account_sid)
        if subaccount is None or not subaccount.is_held_by(claimed):
            return False
        recorded = record(subaccount, claimed, answer, self._timing, settlement.now)
        await subaccounts.save(connection, recorded)
        return True

    async def _drive_or_explain(self, deadline: float, claimed: Subaccount) -> Answer:
        """A defect with one subaccount is a failure of that one; it holds up no other."""
        try:
            return await self._drive_until(deadline, claimed)
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, other subaccounts go on
            get_logger().exception("reconcile_defect", **_names(claimed))
            failure = TwilioUnavailableError(f"internal error: {type(error).__name__}")
            return self._failure(claimed, failure, ObservedState.UNKNOWN)

    async def _drive_until(self, deadline: float, claimed: Subaccount) -> Answer:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._drive(claimed)
        except TimeoutError:
            error = TwilioUnavailableError("the lease ended before Twilio answered")
            return self._failure(claimed, error, ObservedState.UNKNOWN)

    async def _drive(self, claimed: Subaccount) -> Answer:
        if claimed.wanted is WantedState.SUSPENDED:
            return await self._change(claimed, claimed.wanted)
        looked = await self._look(claimed)
        if claimed.wanted is None or looked.observed is None:
            return looked
        if not needs_driving(claimed.wanted, looked.observed):
            return looked
        # The look took its time; what was committed meanwhile counts.
        if not await self._database.transact(self._is_still_wanted, claimed):
            return looked
        return await self._change(claimed, claimed.wanted)

    async def _look(self, claimed: Subaccount) -> Answer:
        try:
            return Answer(await self._twilio.fetch_status(claimed.account_sid))
        except TwilioError as error:
            return self._failure(claimed, error, None)

    async def _change(self, claimed: Subaccount, wanted: WantedState) -> Answer:
        try:
            observed = await self._twilio.set_status(claimed.account_sid, wanted)
        except TwilioUnavailableError as error:
            return self._failure(claimed, error, ObservedState.UNKNOWN)
        except TwilioBusyError as error:
            return self._failure(claimed, error, None)
        except TwilioRefusedError as error:
            return await self._look_after_refusal(claimed, wanted, error)
        if needs_driving(wanted, observed):
            unchanged = TwilioUnavailableError(f"Twilio left the account {observed}")
            return self._failure(claimed, unchanged, observed)
        return Answer(observed)

    async def _look_after_refusal(
        self, claimed: Subaccount, wanted: WantedState, error: TwilioRefusedError
    ) -> Answer:
        """A refused account may be closed, or stand as wanted already."""
        looked = await self._look(claimed)
        if looked.observed is not None and not needs_driving(wanted, looked.observed):
            return looked
        return self._failure(claimed, error, looked.observed)

    def _failure(
        self, claimed: Subaccount, error: TwilioError, observed: ObservedState | None
    ) -> Answer:
        retry_count = claimed.attempt_count - 1
        if isinstance(error, TwilioRefusedError):
            get_logger().error("twilio_call_refused", error=str(error), **_names(claimed))
            wait_seconds = back_off_seconds(
                retry_count, REFUSED_BACK_OFF_BASE_SECONDS, self._refused_back_off_max_seconds
            )
        else:
            get_logger().warning("twilio_call_failed", error=str(error), **_names(claimed))
            wait_seconds = back_off_seconds(
                retry_count, BACK_OFF_BASE_SECONDS, self._back_off_max_seconds
            )
        asked_seconds = min(error.retry_after_seconds, RETRY_AFTER_SECONDS_MAX)
        retry_delay = timedelta(seconds=max(wait_seconds, asked_seconds))
        return Answer(observed, str(error), retry_delay)


def _names(claimed: Subaccount) -> dict[str, object]:
    return {
        "account_sid": claimed.account_sid,
        "organization_id": claimed.organization_id,
        "wanted": claimed.wanted,
        "attempt_count": claimed.attempt_count,
    }
