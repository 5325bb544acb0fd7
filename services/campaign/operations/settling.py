"""Brings campaigns in line with their organizations, whether a command changed them or not."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import zip_longest
from typing import TypeAlias, TypeVar

from libs.database import Connection, Database
from libs.lapses import Lapsed, list_lapsed
from libs.logs import get_logger
from libs.workers import for_each_organization
from services.campaign.domain.settling import Step, steps_until
from services.campaign.storage import campaigns, organizations
from services.campaign.storage.campaigns import Moved
from services.campaign.storage.organizations import OrganizationRow, Unsettled

ORGANIZATIONS_PER_CHUNK = 200

PlaceT = TypeVar("PlaceT", Lapsed, Unsettled)
ListDue: TypeAlias = Callable[[Connection, PlaceT, int], Awaitable[list[PlaceT]]]


class Settling:
    """Settles all organizations that are due without anybody's command."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle_due(self) -> bool:
        """Settle whom time has changed, and whom the stop has; there is no more to do then."""
        await self._settle_listed(list_lapsed, Lapsed())
        await self.settle_stop()
        return False

    async def settle_stop(self) -> None:
        """Settle everybody under the stop as it is, but whom others hold up for seconds."""
        await self._settle_listed(organizations.list_unsettled, Unsettled())

    async def _settle_listed(self, list_due: ListDue[PlaceT], first: PlaceT) -> None:
        """Settle many at once, passing by whom others hold, and one by one whoever is left then.

        Each walk goes on behind whom it has tried: one that always fails holds up nobody.
        """
        for settle in (self._settle_together, self._settle_apart):
            after = first
            while page := await self._database.run(list_due, after, ORGANIZATIONS_PER_CHUNK):
                await settle([each.organization_id for each in page])
                after = page[-1]

    async def _settle_together(self, organization_ids: Sequence[str]) -> None:
        try:
            await self._database.transact(_settle_free, organization_ids)
        except Exception:  # noqa: BLE001 - whatever it is, it may be one organization's only
            get_logger().exception("chunk_failed", first_organization_id=organization_ids[0])

    async def _settle_apart(self, organization_ids: Sequence[str]) -> None:
        await for_each_organization(organization_ids, self._settle_one)

    async def _settle_one(self, organization_id: str) -> None:
        await self._database.transact(lock_as_of_now, organization_id)


async def lock_as_of_now(connection: Connection, organization_id: str) -> OrganizationRow:
    """Lock the organization; what time and the stop did to it comes before whatever is done now."""
    while (row := await organizations.lock(connection, organization_id)) is None:
        await organizations.make(connection, organization_id)
    (settled,) = await _let_pass(connection, [row])
    return settled


async def settle_command(connection: Connection, step: Step) -> Moved:
    """Save the organization, whose row is locked, as a command left it, and move its campaigns."""
    await organizations.save(connection, step.organization)
    return await campaigns.settle_all(connection, [step])


async def _settle_free(connection: Connection, organization_ids: Sequence[str]) -> None:
    await _let_pass(connection, await organizations.lock_free(connection, organization_ids))


async def _let_pass(
    connection: Connection, rows: Sequence[OrganizationRow]
) -> list[OrganizationRow]:
    """Settle what has changed the organizations without a command; return them as they are then."""
    paths = [steps_until(row.organization, row.now) for row in rows]
    for taken_together in zip_longest(*paths):
        steps = [step for step in taken_together if step]
        await organizations.mark_settled(connection, [step.organization for step in steps])
        _log(steps, await campaigns.settle_all(connection, steps))
    return [
        OrganizationRow(path[-1].organization, row.now) if path else row
        for row, path in zip(rows, paths, strict=True)
    ]


def _log(steps: Sequence[Step], moved: Moved) -> None:
    get_logger().info(
        "campaigns_settled",
        organization_count=len(steps),
        organization_id=steps[0].organization.organization_id,
        causes=sorted({step.origin.cause for step in steps}),
        paused_count=moved.paused_count,
        resumed_count=moved.resumed_count,
    )
