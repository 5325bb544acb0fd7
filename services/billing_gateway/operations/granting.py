"""What changes an organization's standing without its provider: an operator's grace, and time."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.database import Connection, Database
from libs.errors import invalid_field
from libs.workers import for_each_organization
from services.billing_gateway.domain.values import ChangeCause, SubscriptionChange
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.storage import changes, organizations

GRACE_MAX = timedelta(days=366)
DUE_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Grace:
    """An operator's word that an organization may send in spite of its subscription."""

    organization_id: str
    end_time: datetime
    note: str
    actor: str


class Granting:
    """GrantGrace, and the loop that lets standings end on time."""

    def __init__(self, database: Database, levels: Levels) -> None:
        self._database = database
        self._levels = levels

    async def grant(self, grace: Grace) -> None:
        """Let an organization send until a time; one that has passed takes the grace back."""
        await self._database.transact(self._grant, grace)
        self._levels.wake_subscription(grace.organization_id)

    async def _grant(self, connection: Connection, grace: Grace) -> None:
        organization = await organizations.lock(connection, grace.organization_id)
        if grace.end_time > organization.now + GRACE_MAX:
            raise invalid_field("until", f"more than {GRACE_MAX.days} days ahead")
        is_news = await organizations.save_grace(
            connection, grace.organization_id, grace.end_time, grace.note, grace.actor
        )
        granted = replace(organization, operator_grace_end_time=grace.end_time)
        update = await self._levels.update_subscription_level(connection, granted)
        if is_news:
            change = SubscriptionChange(
                organization_id=grace.organization_id,
                cause=ChangeCause.GRACE,
                actor=grace.actor,
                note=grace.note,
                good_standing=update.level.good_standing,
                good_until=update.level.good_until,
            )
            await changes.append(connection, [change])

    async def reevaluate_due(self) -> bool:
        """Bring up to date whose time has come; answer whether there may be more."""
        due = await self._database.run(organizations.list_due, DUE_AT_ONCE)
        await for_each_organization(due, self._reevaluate)
        return len(due) == DUE_AT_ONCE

    async def _reevaluate(self, organization_id: str) -> None:
        if await self._database.transact(self._reevaluate_locked, organization_id):
            self._levels.wake_subscription(organization_id)

    async def _reevaluate_locked(self, connection: Connection, organization_id: str) -> bool:
        organization = await organizations.lock(connection, organization_id)
        update = await self._levels.update_subscription_level(connection, organization)
        told = organization.level
        if told is not None and told.good_standing != update.level.good_standing:
            change = SubscriptionChange(
                organization_id=organization_id,
                cause=ChangeCause.TIME,
                good_standing=update.level.good_standing,
                good_until=update.level.good_until,
            )
            await changes.append(connection, [change])
        return update.has_changed
