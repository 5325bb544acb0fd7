"""How subscriptions and organizations stand, and how they came to."""

from dataclasses import dataclass
from datetime import datetime

from libs.announcing.ports import Announcement
from libs.announcing.storage import list_of_organization
from libs.database import Connection, Database
from libs.levels import SubscriptionLevel
from libs.paging import (
    ChangeKey,
    Page,
    decode_change_key,
    page_limit,
    page_of,
    page_of_changes,
)
from services.billing_gateway.domain.standing import (
    SeenSubscription,
    deciding_subscription,
    see,
)
from services.billing_gateway.domain.values import (
    ChangeFilter,
    Checkout,
    Place,
    Provider,
    Subscription,
    SubscriptionChange,
    SubscriptionFilter,
)
from services.billing_gateway.operations.levels import Levels, subscription_not_found
from services.billing_gateway.operations.queries.places import decode_place, encode_place
from services.billing_gateway.storage import changes, organizations, subscriptions


@dataclass(frozen=True, slots=True)
class SeenOrganization:
    """An organization's subscriptions and level, at one moment."""

    # None: only its operator lets it send.
    deciding: SeenSubscription | None
    subscriptions: list[SeenSubscription]
    level: SubscriptionLevel
    good_standing: bool
    operator_grace_end_time: datetime | None


class SubscriptionQueries:
    """The reads of subscriptions."""

    def __init__(self, database: Database, levels: Levels) -> None:
        self._database = database
        self._levels = levels

    async def get_standing(self, organization_id: str) -> SeenOrganization:
        """Return how an organization stands now."""
        return await self._database.read_snapshot(self._get_standing, organization_id)

    async def _get_standing(self, connection: Connection, organization_id: str) -> SeenOrganization:
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
        return await self._database.run(self._get_subscription, provider, subscription_id)

    async def _get_subscription(
        self, connection: Connection, provider: Provider, subscription_id: str
    ) -> SeenSubscription:
        found = await subscriptions.find(connection, provider, subscription_id)
        if found is None:
            raise subscription_not_found("")
        return see(found, self._levels.slack, await organizations.read_clock(connection))

    async def get_of_checkout(self, checkout: Checkout) -> SeenSubscription:
        """Return the subscription that a checkout has made, or will make."""
        provider = checkout.content.provider
        if checkout.subscription_id:
            return await self.get_subscription(provider, checkout.subscription_id)
        wanted = Subscription(
            checkout.organization_id, provider, "", linked_plan_id=checkout.content.plan_id
        )
        return SeenSubscription(wanted, good_standing=False)

    async def list_subscriptions(
        self, wanted: SubscriptionFilter, page_size: int, page_token: str
    ) -> Page[SeenSubscription]:
        """Return a page of subscriptions, newest first."""
        before = decode_place(page_token)
        return await self._database.read_snapshot(
            self._list_subscriptions, wanted, page_limit(page_size), before
        )

    async def _list_subscriptions(
        self,
        connection: Connection,
        wanted: SubscriptionFilter,
        limit: int,
        before: Place,
    ) -> Page[SeenSubscription]:
        slack = self._levels.slack
        now = await organizations.read_clock(connection)
        found = await subscriptions.list_subscriptions(
            connection, wanted, before, limit + 1, slack=slack, now=now
        )
        page = page_of(found, limit, lambda last: encode_place(_place_of(last)))
        return Page([see(each, slack, now) for each in page.items], page.next_page_token)

    async def list_announcements(self, organization_id: str) -> list[Announcement]:
        """Return how far each observer has taken each level of an organization."""
        return await self._database.run(list_of_organization, organization_id)

    async def list_changes(
        self, wanted: ChangeFilter, page_size: int, page_token: str
    ) -> Page[SubscriptionChange]:
        """Return a page of history, newest first."""
        limit = page_limit(page_size)
        before = decode_change_key(page_token)
        found = await self._database.run(changes.list_changes, wanted, before, limit + 1)
        return page_of_changes(
            found, limit, lambda last: ChangeKey(last.change_time, last.change_id)
        )


def _place_of(subscription: Subscription) -> Place:
    return Place(subscription.create_time, subscription.provider, subscription.subscription_id)
