"""Settles events, from the inbox to rows and levels: one transaction each."""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from libs.database import TIMED_OUT_ERRORS, TRANSIENT_ERRORS, Connection, Database
from libs.errors import DomainError
from libs.logs import get_logger, working_on
from libs.tracing import cause, working
from libs.workers import back_off_seconds
from services.billing_gateway.domain.observations import (
    Ignored,
    Observed,
    Translation,
    Unreadable,
)
from services.billing_gateway.domain.values import ChangeCause, EventState, Provider, WebhookEvent
from services.billing_gateway.operations.recording_port import (
    ObjectsBusyError,
    Recorded,
    Recording,
    Source,
)
from services.billing_gateway.ports import PaymentProvider
from services.billing_gateway.storage import inbox
from services.billing_gateway.storage.inbox import ClaimedEvent, Outcome

ATTEMPTS_MAX = 20
BACK_OFF_BASE_SECONDS = 0.5
BACK_OFF_MAX_SECONDS = 300.0
# Whoever works on the same objects is done in milliseconds.
PUT_OFF_SECONDS = (0.05, 0.25)
# A lock that nobody gave up for seconds is not worth asking for at once.
TIMED_OUT_SECONDS = 2.0

NOTHING_RECORDED = Recorded()

# What waits for somebody is told apart from what is done, and what nobody has to know is not told.
LOGGED_AS = {
    EventState.RECEIVED: (logging.DEBUG, "event_put_off"),
    EventState.PARKED: (logging.INFO, "event_parked"),
    EventState.DEAD: (logging.WARNING, "event_dead"),
    EventState.DONE: (logging.INFO, "event_settled"),
    EventState.IGNORED: (logging.INFO, "event_settled"),
}


@dataclass(frozen=True, slots=True)
class Settled:
    """One event, settled, and what is to be told of it."""

    event: WebhookEvent
    outcome: Outcome
    recorded: Recorded = NOTHING_RECORDED
    # Its settling, if anybody traces it.
    cause: str | None = None


class Settling:
    """The way from the inbox to the levels. It asks no provider and waits for no lock."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[Provider, PaymentProvider],
        recording: Recording,
        wake_in: Callable[[float], None],
    ) -> None:
        self._database = database
        self._providers = providers
        self._unheard = frozenset(Provider) - providers.keys()
        self._recording = recording
        self._wake_in = wake_in

    async def settle_next(self) -> bool:
        """Settle one event that is due; answer whether there was one."""
        settled = await self._database.transact(self._settle_next)
        if settled is None:
            return False
        with working("tell", [settled.cause]):
            _log(settled)
            self._recording.wake(settled.recorded)
        if settled.outcome.state is EventState.RECEIVED:
            self._wake_in(settled.outcome.retry_in_seconds)
        return True

    async def _settle_next(self, connection: Connection) -> Settled | None:
        claimed = await inbox.claim_next(connection, self._unheard)
        if claimed is None:
            return None
        asked = [claimed.traceparent]
        with working_on(event_id=claimed.event.event_id), working("settle", asked):
            settled = await self._settle_or_explain(connection, claimed)
            await inbox.save_outcome(connection, claimed.event, settled.outcome)
            return replace(settled, cause=cause())

    async def _settle_or_explain(self, connection: Connection, claimed: ClaimedEvent) -> Settled:
        """What goes wrong with one event is undone and written down; it holds up no other."""
        event, told = claimed.event, Outcome(EventState.RECEIVED)
        try:
            sender = self._providers[event.provider]
            translation = sender.translate(claimed.body, event.receive_time)
            told = _told_by(translation)
            return await self._settle(connection, event, translation, told)
        except ObjectsBusyError:
            return Settled(event, _put_off(told, random.uniform(*PUT_OFF_SECONDS)))
        except TIMED_OUT_ERRORS:
            return Settled(event, _put_off(told, TIMED_OUT_SECONDS))
        except TRANSIENT_ERRORS:
            raise
        except DomainError as error:
            problem = f"{error.reason}: {error.message}"
            return Settled(event, replace(told, state=EventState.DEAD, last_error=problem))
        except Exception as error:  # noqa: BLE001 - whatever it is, other events go on
            get_logger().exception("event_failed")
            return Settled(event, _retry_or_give_up(told, event, error))

    async def _settle(
        self, connection: Connection, event: WebhookEvent, translation: Translation, told: Outcome
    ) -> Settled:
        match translation:
            case Ignored():
                return Settled(event, replace(told, state=EventState.IGNORED))
            case Unreadable():
                dead = replace(told, state=EventState.DEAD, last_error=translation.problem)
                return Settled(event, dead)
            case Observed():
                return await self._record(connection, event, translation, told)
            case _:
                assert_never(translation)

    async def _record(
        self, connection: Connection, event: WebhookEvent, observed: Observed, told: Outcome
    ) -> Settled:
        source = Source(event.provider, event.event_id, ChangeCause.EVENT, event.receive_time)
        async with connection.transaction():
            recorded = await self._recording.record(connection, source, observed.observations)
        outcome = replace(
            told,
            state=EventState.PARKED if recorded.problem else EventState.DONE,
            organization_id=_only(recorded.organization_ids),
            last_error=recorded.problem,
        )
        return Settled(event, outcome, recorded)


def _log(settled: Settled) -> None:
    event, outcome = settled.event, settled.outcome
    level, happened = LOGGED_AS[outcome.state]
    get_logger().log(
        level,
        happened,
        event_id=event.event_id,
        event_type=event.event_type,
        state=outcome.state,
        organization_id=outcome.organization_id,
        error=outcome.last_error,
    )


def _told_by(translation: Translation) -> Outcome:
    observations = translation.observations if isinstance(translation, Observed) else ()
    object_ids = {each for one in observations for each in one.object_ids if each}
    return Outcome(
        EventState.RECEIVED,
        object_ids=tuple(sorted(object_ids)),
        observations=tuple(str(each) for each in observations),
    )


def _only(organization_ids: Sequence[str]) -> str:
    """An event of several organizations is none's."""
    return organization_ids[0] if len(organization_ids) == 1 else ""


def _put_off(told: Outcome, seconds: float) -> Outcome:
    return replace(
        told,
        last_error="waits for another transaction of its organization or objects",
        retry_in_seconds=seconds,
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
