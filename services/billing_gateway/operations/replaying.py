"""ReplayWebhookEvents: settles events again, by the same path as the first time."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason, invalid_field
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.billing_gateway.domain.values import NEWEST, EventFilter, Place, Provider
from services.billing_gateway.operations.queries.events import event_not_found, place_of
from services.billing_gateway.storage import events, inbox

EVENTS_PER_TRANSACTION = 1000


@dataclass(frozen=True, slots=True)
class Replayer:
    """Who replays, and why."""

    actor: str
    note: str


class Replaying:
    """What has had its effect has no second one, so that anything may be replayed."""

    def __init__(self, database: Database, wake_settling: Callable[[], None]) -> None:
        self._database = database
        self._wake_settling = wake_settling

    async def replay(self, wanted: EventFilter, event_id: str, by: Replayer) -> int:
        """Let one event, or all that are wanted, be settled again; return how many."""
        if not event_id:
            return await self._replay_all(wanted, by)
        if wanted.provider is None:
            raise invalid_field("provider", "must be given with event_id")
        if replace(wanted, provider=None) != EventFilter():
            raise invalid_field("event_id", "stands alone, with its provider")
        await self._database.transact(self._replay_one, wanted.provider, event_id, by)
        self._wake_settling()
        return 1

    async def _replay_one(
        self, connection: Connection, provider: Provider, event_id: str, by: Replayer
    ) -> None:
        stored = await events.find(connection, provider, event_id)
        if stored is None:
            raise event_not_found(event_id)
        if not await inbox.replay(connection, [stored.event]):
            raise DomainError(
                ErrorReason.EVENT_BODY_EXPIRED,
                "the event was settled long ago and its body given up",
                eventId=event_id,
            )
        owner = stored.event.organization_id or ""
        await append_action(connection, _act_of(by, owner, f"{provider} {event_id}"))

    async def _replay_all(self, wanted: EventFilter, by: Replayer) -> int:
        """Walk from the newest to the oldest: what comes meanwhile is newer, and not walked."""
        act = _act_of(by, wanted.organization_id, _words_of(wanted))
        await self._database.run(append_action, act)
        replayed_count, before, more = 0, NEWEST, True
        while more:
            count, before, more = await self._database.transact(
                self._replay_some, wanted, before, replayed_count
            )
            replayed_count += count
            self._wake_settling()
        return replayed_count

    async def _replay_some(
        self, connection: Connection, wanted: EventFilter, before: Place, after_count: int
    ) -> tuple[int, Place, bool]:
        found = await events.list_events(connection, wanted, before, EVENTS_PER_TRANSACTION)
        if not found:
            return 0, before, False
        return await inbox.replay(connection, found, after_count), place_of(found[-1]), True


def _act_of(by: Replayer, organization_id: str, reference: str) -> Act:
    return Act("ReplayWebhookEvents", by.actor, by.note, organization_id, reference)


def _words_of(wanted: EventFilter) -> str:
    """Return what a filter restricts, in words; whose events it wants stands beside them."""
    restricted = replace(wanted, organization_id="")
    return " ".join(f"{name}={value}" for name, value in asdict(restricted).items() if value)
