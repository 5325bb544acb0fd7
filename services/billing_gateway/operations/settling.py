"""Settles events, from the inbox to rows and levels: one transaction each."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from libs.database import TRANSIENT_ERRORS, Connection, Database
from libs.errors import DomainError
from libs.logs import get_logger
from libs.workers import back_off_seconds
from services.billing_gateway.domain.observations import Ignored, Observed, Unreadable
from services.billing_gateway.domain.values import ChangeCause, EventState, Provider, WebhookEvent
from services.billing_gateway.operations.recording_port import (
    ObjectsBusyError,
    Recorded,
    Recording,
    Source,
)
from services.billing_gateway.ports import PaymentProvider
from services.billing_gateway.storage import inbox
from services.billing_gateway.storage.inbox import Outcome, StoredEvent

ATTEMPTS_MAX = 20
BACK_OFF_BASE_SECONDS = 0.5
BACK_OFF_MAX_SECONDS = 300.0
PUT_OFF_SECONDS = (0.05, 0.25)

NOTHING_RECORDED = Recorded()


@dataclass(frozen=True, slots=True)
class Settled:
    """One event, settled, and what is to be told of it."""

    event: WebhookEvent
    outcome: Outcome
    recorded: Recorded = NOTHING_RECORDED


class Settling:
    """The way from the inbox to the levels."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[Provider, PaymentProvider],
        recording: Recording,
    ) -> None:
        self._database = database
        self._providers = providers
        self._recording = recording

    async def settle_next(self) -> bool:
        """Settle one event that is due; answer whether there was one."""
        settled = await self._database.transact(self._settle_next)
        if settled is None:
            return False
        outcome = settled.outcome
        get_logger().info(
            "event_settled",
            event_id=settled.event.event_id,
            event_type=settled.event.event_type,
            state=outcome.state,
            organization_id=outcome.organization_id,
            error=outcome.last_error,
        )
        self._recording.wake(settled.recorded)
        return True

    async def _settle_next(self, connection: Connection) -> Settled | None:
        stored = await inbox.claim_next(connection)
        if stored is None:
            return None
        settled = await self._translate_and_settle(connection, stored)
        await inbox.save_outcome(connection, stored.event, settled.outcome)
        return settled

    async def _translate_and_settle(self, connection: Connection, stored: StoredEvent) -> Settled:
        event = stored.event
        translation = self._providers[event.provider].translate(stored.body, event.receive_time)
        match translation:
            case Ignored():
                return Settled(event, Outcome(EventState.IGNORED))
            case Unreadable():
                return Settled(event, Outcome(EventState.DEAD, last_error=translation.problem))
            case Observed():
                return await self._settle_or_explain(connection, event, translation)
            case _:
                assert_never(translation)

    async def _settle_or_explain(
        self, connection: Connection, event: WebhookEvent, observed: Observed
    ) -> Settled:
        """What goes wrong with one event is undone and written down; it holds up no other."""
        told = _told_by(observed)
        try:
            async with connection.transaction():
                return await self._settle(connection, event, observed, told)
        except ObjectsBusyError:
            return Settled(event, _put_off(told))
        except TRANSIENT_ERRORS:
            raise
        except DomainError as error:
            problem = f"{error.reason}: {error.message}"
            return Settled(event, replace(told, state=EventState.DEAD, last_error=problem))
        except Exception as error:  # noqa: BLE001 - whatever it is, other events go on
            get_logger().exception("event_failed", event_id=event.event_id)
            return Settled(event, _retry_or_give_up(told, event, error))

    async def _settle(
        self, connection: Connection, event: WebhookEvent, observed: Observed, told: Outcome
    ) -> Settled:
        source = Source(event.provider, event.event_id, ChangeCause.EVENT, event.receive_time)
        recorded = await self._recording.record(connection, source, observed.observations)
        outcome = replace(
            told,
            state=EventState.PARKED if recorded.problem else EventState.DONE,
            organization_id=_only(recorded.organization_ids),
            last_error=recorded.problem,
        )
        return Settled(event, outcome, recorded)


def _told_by(observed: Observed) -> Outcome:
    object_ids = {each for one in observed.observations for each in one.object_ids if each}
    return Outcome(
        EventState.RECEIVED,
        object_ids=tuple(sorted(object_ids)),
        observations=tuple(str(each) for each in observed.observations),
    )


def _only(organization_ids: Sequence[str]) -> str:
    """An event of several organizations is none's."""
    return organization_ids[0] if len(organization_ids) == 1 else ""


def _put_off(told: Outcome) -> Outcome:
    return replace(
        told,
        last_error="waits for another transaction of its organization or objects",
        retry_in_seconds=random.uniform(*PUT_OFF_SECONDS),
        is_attempt=False,
    )


def _retry_or_give_up(told: Outcome, event: WebhookEvent, error: Exception) -> Outcome:
    attempt_count = event.attempt_count + 1
    return replace(
        told,
        state=EventState.DEAD if attempt_count >= ATTEMPTS_MAX else EventState.RECEIVED,
        last_error=f"internal error: {type(error).__name__}",
        retry_in_seconds=back_off_seconds(
            attempt_count, BACK_OFF_BASE_SECONDS, BACK_OFF_MAX_SECONDS
        ),
    )
