"""Does what is due at providers: looks at subscriptions, resolves objects, ends what is to end.

Each is claimed for a while, the provider is asked outside of any transaction, and what it answers
is recorded as events are. A provider that is away holds up the questions to it and nothing else.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.errors import DomainError
from libs.levels import SubscriptionState
from libs.logs import get_logger
from libs.workers import back_off_seconds
from services.billing_gateway.domain.facts import LAG_MAX
from services.billing_gateway.domain.looking import next_cancel, next_look
from services.billing_gateway.domain.values import ChangeCause, Provider
from services.billing_gateway.operations.asking import BY_ITSELF, Asking, Occasion, source_of
from services.billing_gateway.operations.recording_port import Recorded, Recording
from services.billing_gateway.ports import (
    Answer,
    ProviderError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from services.billing_gateway.storage import inbox, looks, organizations, subscriptions
from services.billing_gateway.storage.looks import Lease

AT_ONCE = 4
# More than twice what a provider may take for one answer.
LEASE_SECONDS = 60.0
BACK_OFF_BASE_SECONDS = 1.0
BACK_OFF_MAX_SECONDS = 3600.0
# What a provider does not know of by then, it never will.
RESOLVES_MAX = 8

Claim: TypeAlias = Callable[
    [Connection, Sequence[Provider], int, float], Awaitable[Sequence[Lease]]
]


@dataclass(frozen=True)
class Looks:
    """What is due at providers, a few at a time."""

    database: Database
    asking: Asking
    recording: Recording
    interval: timedelta
    lease_seconds: float = LEASE_SECONDS

    async def do_what_is_due(self) -> bool:
        """Do some of what is due; answer whether there may be more."""
        if not self.asking.askable:
            return False
        full = [
            await self._do_all(looks.claim_looks, self._look),
            await self._do_all(looks.claim_resolves, self._resolve),
            await self._do_all(looks.claim_cancels, self._cancel),
        ]
        return any(full)

    async def look_now(
        self, provider: Provider, subscription_id: str, occasion: Occasion = BY_ITSELF
    ) -> None:
        """Ask how a subscription stands and believe it. Raises ProviderError, DomainError."""
        answer = await self.asking.require(provider).fetch_subscription(subscription_id)
        await self._record("look", provider, answer, occasion)

    async def _do_all(self, claim: Claim, do: Callable[[Lease], Awaitable[None]]) -> bool:
        leases = await self.database.run(
            claim, sorted(self.asking.askable), AT_ONCE, self.lease_seconds
        )
        await asyncio.gather(*(_contained(do, lease) for lease in leases))
        return len(leases) == AT_ONCE

    async def _look(self, lease: Lease) -> None:
        provider = self.asking.require(lease.provider)
        try:
            answer = await provider.fetch_subscription(lease.subject_id)
            recorded = await self.database.transact(self._record_look, lease, answer)
        except DatabaseUnavailableError:
            raise
        except ProviderUnavailableError as error:
            wait = _back_off(lease)
            await self.database.run(looks.postpone_look, lease, wait, str(error))
        except (ProviderError, DomainError) as error:
            await self.database.transact(self._finish_look, lease, self.interval, str(error))
        else:
            self.recording.wake(recorded)

    async def _record_look(self, connection: Connection, lease: Lease, answer: Answer) -> Recorded:
        source = source_of("look", lease.provider, answer, BY_ITSELF)
        recorded = await self.recording.record(connection, source, answer.observations, wait=True)
        # A doubt that is to wait longer than the lease has not moved the due time.
        interval = min(LAG_MAX, self.interval) if recorded.looks_due else self.interval
        await self._finish_look(connection, lease, interval, recorded.problem)
        return recorded

    async def _finish_look(
        self, connection: Connection, lease: Lease, interval: timedelta, problem: str
    ) -> None:
        found = await subscriptions.find(connection, lease.provider, lease.subject_id)
        if found is None:
            return
        now = await organizations.read_clock(connection)
        jitter = random.uniform(0.5, 1.0)
        await looks.finish_look(connection, lease, next_look(found, now, interval, jitter), problem)
        if found.heard_time is None:
            # Payments may have waited for the plan that this was to tell.
            await inbox.unpark(connection, lease.provider, [lease.subject_id])

    async def _resolve(self, lease: Lease) -> None:
        provider = self.asking.require(lease.provider)
        try:
            answer = await provider.resolve(lease.subject_id)
            await self._record("resolve", lease.provider, answer, BY_ITSELF)
        except DatabaseUnavailableError:
            raise
        except ProviderUnavailableError:
            wait: float | None = _back_off(lease)
        except (ProviderError, DomainError) as error:
            wait = _back_off(lease) if lease.attempt_count < RESOLVES_MAX else None
            get_logger().warning("object_unresolved", object_id=lease.subject_id, error=str(error))
        else:
            wait = None
        await self.database.run(looks.finish_resolve, lease, wait)

    async def _cancel(self, lease: Lease) -> None:
        """End a subscription; once that is known, nothing of it is due any more."""
        try:
            await self._end(lease)
        finally:
            await self.database.transact(self._put_cancel_off, lease)

    async def _end(self, lease: Lease) -> None:
        try:
            await self.asking.require(lease.provider).cancel_subscription(
                lease.subject_id, at_period_end=False, note=lease.note
            )
        except ProviderRefusedError as error:
            # It may have ended already, which the look tells.
            get_logger().warning(
                "cancel_refused", subscription_id=lease.subject_id, error=str(error)
            )
        occasion = Occasion(ChangeCause.CANCEL, lease.actor, lease.note)
        await self.look_now(lease.provider, lease.subject_id, occasion)

    async def _put_cancel_off(self, connection: Connection, lease: Lease) -> None:
        found = await subscriptions.find(connection, lease.provider, lease.subject_id)
        if found is not None and found.state is not SubscriptionState.CANCELED:
            now = await organizations.read_clock(connection)
            await looks.postpone_cancel(connection, lease, next_cancel(found, now))

    async def _record(
        self, what: str, provider: Provider, answer: Answer, occasion: Occasion
    ) -> None:
        source = source_of(what, provider, answer, occasion)

        async def record(connection: Connection) -> Recorded:
            return await self.recording.record(connection, source, answer.observations, wait=True)

        self.recording.wake(await self.database.transact(record))


async def _contained(do: Callable[[Lease], Awaitable[None]], lease: Lease) -> None:
    """Whatever goes wrong with one, others go on; it is due again when its lease ends."""
    try:
        await do(lease)
    except (ProviderError, DatabaseUnavailableError) as error:
        get_logger().warning("errand_waits", subject_id=lease.subject_id, error=str(error))
    except Exception:  # noqa: BLE001 - whatever it is
        get_logger().exception("errand_failed", subject_id=lease.subject_id)


def _back_off(lease: Lease) -> float:
    return back_off_seconds(lease.attempt_count, BACK_OFF_BASE_SECONDS, BACK_OFF_MAX_SECONDS)
