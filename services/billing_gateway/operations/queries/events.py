"""What the gateway answers about webhook events."""

from libs.database import Database
from libs.errors import DomainError, ErrorReason
from libs.paging import Page, page_limit, page_of
from services.billing_gateway.domain.values import EventFilter, Place, Provider, WebhookEvent
from services.billing_gateway.operations.queries.places import decode_place, encode_place
from services.billing_gateway.storage import events
from services.billing_gateway.storage.events import StoredEvent


class EventQueries:
    """The reads of events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_event(self, provider: Provider, event_id: str) -> StoredEvent:
        """Return an event, with its body while that is kept."""
        stored = await self._database.run(events.find, provider, event_id)
        if stored is None:
            raise event_not_found(event_id)
        return stored

    async def list_events(
        self, wanted: EventFilter, page_size: int, page_token: str
    ) -> Page[WebhookEvent]:
        """Return a page of events, newest first."""
        limit = page_limit(page_size)
        before = decode_place(page_token)
        found = await self._database.run(events.list_events, wanted, before, limit + 1)
        return page_of(found, limit, lambda last: encode_place(place_of(last)))


def place_of(event: WebhookEvent) -> Place:
    """Return where an event stands in a list."""
    return Place(event.receive_time, event.provider, event.event_id)


def event_not_found(event_id: str) -> DomainError:
    """Return the error for an event that was never received."""
    return DomainError(ErrorReason.EVENT_NOT_FOUND, "no such event was received", eventId=event_id)
