"""What the gateway answers."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Database
from libs.levels import SubscriptionLevel
from services.billing_gateway.domain.standing import (
    SeenSubscription,
    deciding_subscription,
    see,
)
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.levels import (
    Levels,
    subscription_not_found,
)
from services.billing_gateway.storage import organizations, subscriptions


@dataclass(frozen=True, slots=True)
class SeenOrganization:
    """An organization's subscriptions and level, at one moment."""

    # None: only its operator lets it send.
    deciding: SeenSubscription | None
    subscriptions: list[SeenSubscription]
    level: SubscriptionLevel
    good_standing: bool
    operator_grace_end_time: datetime | None


class Queries:
    """The reads."""

    def __init__(self, database: Database, levels: Levels) -> None:
        self._database = database
        self._levels = levels

    async def get_standing(self, organization_id: str) -> SeenOrganization:
        """Return how an organization stands now."""
        return await self._database.run(self._read_standing, organization_id)

    async def _read_standing(
        self, connection: Connection, organization_id: str
    ) -> SeenOrganization:
        row = await organizations.read(connection, organization_id)
        linked = await subscriptions.list_of_organization(connection, organization_id)
        if row is None:
            raise subscription_not_found(organization_id)
        slack = self._levels.slack
        deciding = deciding_subscription(linked, slack, row.now)
        return SeenOrganization(
            deciding=see(deciding, slack, row.now) if deciding else None,
            subscriptions=[see(each, slack, row.now) for each in linked],
            level=row.level,
            good_standing=row.level.is_good_at(row.now),
            operator_grace_end_time=row.operator_grace_end_time,
        )

    async def get_subscription(self, provider: Provider, subscription_id: str) -> SeenSubscription:
        """Return a subscription that is linked."""
        return await self._database.run(self._read_subscription, provider, subscription_id)

    async def _read_subscription(
        self, connection: Connection, provider: Provider, subscription_id: str
    ) -> SeenSubscription:
        found = await subscriptions.find(connection, provider, subscription_id)
        if found is None:
            raise subscription_not_found("")
        row = await organizations.read(connection, found.organization_id)
        if row is None:
            raise subscription_not_found(found.organization_id)
        return see(found, self._levels.slack, row.now)
