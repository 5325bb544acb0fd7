"""ReconcileSubaccounts: all is looked at now, and whoever asked for it waits a while."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from libs.database import Connection, Database
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.values import Standing, SuspensionPolicy
from services.telephony.operations.polling import look_until
from services.telephony.operations.settling import settle
from services.telephony.storage import due, subaccounts


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

    async def reconcile(
        self, organization_id: str, actor: str = "", note: str = ""
    ) -> list[Standing]:
        """Have all of an organization's subaccounts looked at; return how they stand then."""
        act = Act("ReconcileSubaccounts", actor, note, organization_id)
        await self._database.run(append_action, act)
        asked = await self._database.run(due.list_asked, organization_id)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await look_until(bool, partial(self._have_looked, organization_id, asked))
        except TimeoutError:
            # What has not been looked at in time says so by its times.
            pass
        return await self._database.run(subaccounts.list_first, organization_id)

    async def _have_looked(self, organization_id: str, asked: Mapping[str, int]) -> bool:
        """Make due what nobody has looked at since, and tell whether that is nothing any more."""
        waiting = await self._database.run(due.list_waiting, asked)
        idle = [account_sid for account_sid, is_idle in waiting.items() if is_idle]
        if idle:
            await self._database.transact(_make_due, organization_id, idle, self._policy)
            self._wake_reconciler()
        return not waiting


async def _make_due(
    connection: Connection, organization_id: str, account_sids: list[str], policy: SuspensionPolicy
) -> None:
    settlement, _ = await settle(connection, organization_id, Reevaluate(), policy)
    found = await subaccounts.find(connection, account_sids)
    # Whoever ends what goes on after a suspension leaves the time of the next look as it is.
    idle = [
        replace(each, next_attempt_time=settlement.now)
        for each in found.values()
        if not each.is_driven
    ]
    if idle:
        await subaccounts.save(connection, idle)
