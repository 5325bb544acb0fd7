"""ReconcileSubaccounts: all is looked at now, and whoever asked for it waits a while."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from libs.database import Connection, Database
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.values import (
    ObservedState,
    Standing,
    SubaccountFilter,
    SuspensionPolicy,
)
from services.telephony.operations.organizations import LISTED_MAX
from services.telephony.operations.settling import settle
from services.telephony.storage import due, subaccounts

LOOK_SECONDS, LOOK_SECONDS_MAX = 0.02, 0.5


class ReconcileOperations:
    """Lets the reconciler come at once, and tells what it found."""

    def __init__(
        self,
        database: Database,
        policy: SuspensionPolicy,
        wake_reconciler: Callable[[], None],
        wait_seconds: float,
    ) -> None:
        self._database = database
        self._policy = policy
        self._wake_reconciler = wake_reconciler
        self._wait_seconds = wait_seconds

    async def reconcile(self, organization_id: str) -> list[Standing]:
        """Have all of an organization's subaccounts looked at; return how they stand then."""
        standings = await self._list(organization_id)
        asked = {
            each.subaccount.account_sid: each.subaccount.driving_claim_number
            for each in standings
            if each.subaccount.observed is not ObservedState.CLOSED
        }
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._have_looked(organization_id, asked)
        except TimeoutError:
            # What has not been looked at in time says so by its times.
            pass
        return await self._list(organization_id)

    async def _have_looked(self, organization_id: str, asked: Mapping[str, int]) -> None:
        wait_seconds = LOOK_SECONDS
        while waiting := await self._database.run(due.list_waiting, asked):
            idle = [account_sid for account_sid, is_idle in waiting.items() if is_idle]
            if idle:
                await self._database.transact(_make_due, organization_id, idle, self._policy)
                self._wake_reconciler()
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(LOOK_SECONDS_MAX, 2 * wait_seconds)

    async def _list(self, organization_id: str) -> list[Standing]:
        which = SubaccountFilter(organization_id=organization_id)
        return await self._database.run(subaccounts.list_standings, which, "", LISTED_MAX)


async def _make_due(
    connection: Connection, organization_id: str, account_sids: list[str], policy: SuspensionPolicy
) -> None:
    settlement, _ = await settle(connection, organization_id, Reevaluate(), policy)
    found = await subaccounts.find(connection, account_sids)
    # Whoever ends what goes on after a suspension leaves the time of the next look as it is.
    idle = [
        replace(each, next_attempt_time=settlement.now)
        for each in found.values()
        if each.observed is not ObservedState.CLOSED and not each.is_driven
    ]
    if idle:
        await subaccounts.save(connection, idle)
