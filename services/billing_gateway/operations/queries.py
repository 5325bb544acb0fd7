"""What the gateway answers."""

from dataclasses import dataclass
from datetime import datetime

from libs.announcing.ports import Delivery
from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason
from libs.levels import SubscriptionLevel
from libs.paging import (
    Page,
    decode_page_token,
    encode_page_token,
    key_to_time,
    page_limit,
    time_to_key,
)
from services.billing_gateway.domain.standing import (
    SeenSubscription,
    deciding_subscription,
    see,
)
from services.billing_gateway.domain.values import (
    EventFilter,
    Payment,
    Provider,
    WebhookEvent,
)
from services.billing_gateway.operations.levels import (
    Levels,
    payment_not_found,
    subscription_not_found,
)
from services.billing_gateway.storage import inbox, organizations, payments, subscriptions
from services.billing_gateway.storage.inbox import EventKey, StoredEvent


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

    async def get_payment(self, provider: Provider, payment_id: str) -> tuple[Payment, Delivery]:
        """Return a payment and how far the wallet has taken it."""
        return await self._database.run(self._read_payment, provider, payment_id)

    async def _read_payment(
        self, connection: Connection, provider: Provider, payment_id: str
    ) -> tuple[Payment, Delivery]:
        payment = await payments.find(connection, provider, payment_id)
        if payment is None:
            raise payment_not_found(payment_id)
        return payment, await self._levels.read_payment_delivery(connection, payment)

    async def get_event(self, provider: Provider, event_id: str) -> StoredEvent:
        """Return an event with its body."""
        stored = await self._database.run(inbox.find, provider, event_id)
        if stored is None:
            raise DomainError(
                ErrorReason.EVENT_NOT_FOUND, "no such event was received", eventId=event_id
            )
        return stored

    async def list_events(
        self, wanted: EventFilter, page_size: int, page_token: str
    ) -> Page[WebhookEvent]:
        """Return a page of events, newest first."""
        limit = page_limit(page_size)
        before = _decode_event_key(page_token)
        events = await self._database.run(inbox.list_events, wanted, before, limit + 1)
        token = _encode_event_key(events[limit - 1]) if len(events) > limit else ""
        return Page(events[:limit], token)


def _encode_event_key(event: WebhookEvent) -> str:
    return encode_page_token(time_to_key(event.receive_time), event.provider, event.event_id)


def _decode_event_key(token: str) -> EventKey:
    key = decode_page_token(token, int, str, str)
    if key is None:
        return EventKey()
    micros, provider, event_id = key
    return EventKey(key_to_time(int(micros)), str(provider), str(event_id))
