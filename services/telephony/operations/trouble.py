"""Notices trouble with Twilio as a whole, and probes until it is over."""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import reduce

from prometheus_client import CollectorRegistry, Gauge

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.logs import get_logger
from libs.riding import Riding, RidingLimits
from libs.workers import back_off_seconds
from services.telephony.domain.failures import TOO_MANY_CALLS, Failure, defect
from services.telephony.domain.reconciling import ReconcileTiming
from services.telephony.domain.trouble import (
    Call,
    TwilioHealth,
    TwilioState,
    claim_probe,
    hear,
    record_probe,
)
from services.telephony.domain.values import ObservedState
from services.telephony.ports import TwilioAccounts, TwilioError
from services.telephony.storage import trouble

PROBE_PAUSE_BASE_SECONDS = 1.0
# After a 429, if Twilio does not say for how long; and at most, for suspensions wait as well.
BUSY_PAUSE_SECONDS, BUSY_PAUSE_SECONDS_MAX = 0.25, 1.0
# Look again so often while somebody else probes.
LOOK_SECONDS = 0.05


class TwilioTrouble:
    """What this process hears of Twilio, and the service's one probe at a time."""

    def __init__(
        self,
        database: Database,
        twilio: TwilioAccounts,
        parent_account_sid: str,
        timing: ReconcileTiming,
        *,
        back_off_max_seconds: float,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._parent_account_sid = parent_account_sid
        self._timing = timing
        self._back_off_max_seconds = back_off_max_seconds
        self._riding = Riding(self._hear_all, RidingLimits(trips_at_once_max=1))
        self._doubt = asyncio.Lock()
        self._busy_until = -math.inf
        self._next_pause_time = -math.inf
        self._state = TwilioState.OK
        self._states = Gauge(
            "tollgate_twilio_state",
            "1 for how Twilio as a whole stands, 0 for how it does not.",
            ["state"],
            registry=registry,
        )
        self._know(TwilioState.OK)

    @property
    def is_over(self) -> bool:
        """As far as this process knows, Twilio can be used."""
        return self._state is TwilioState.OK

    @property
    def busy_seconds(self) -> float:
        """For how long Twilio is left in peace, for it had too many calls under way; or 0."""
        return max(0.0, self._busy_until - asyncio.get_running_loop().time())

    @property
    def may_call(self) -> bool:
        """As far as this process knows, calls may begin."""
        return self.is_over and not self.busy_seconds

    async def read(self) -> TwilioHealth:
        """Return how Twilio stands now."""
        health = (await self._database.run(trouble.read)).health
        self._know(health.state)
        return health

    async def hear(self, call: Call) -> bool:
        """Take what a call says of Twilio as a whole; tell whether a failure is its own."""
        if call.failure and call.failure.code == TOO_MANY_CALLS:
            self._leave_in_peace(call.failure)
        try:
            health = await self._riding.ride(call)
            if call.is_doubtful and health.in_doubt:
                health = await self._settle_doubt()
        except DatabaseUnavailableError:
            return True
        except Exception:  # noqa: BLE001 - whatever it is, others go on
            get_logger().exception("hear_defect", of=call.name)
            return True
        return not call.is_twilios_failure(health)

    def _leave_in_peace(self, failure: Failure) -> None:
        """Let no call begin for a while, whoever it is for: Twilio counts them all together.

        After a pause there is none for as long again: who is refused whenever it is over keeps no
        other from having a turn.
        """
        now = asyncio.get_running_loop().time()
        if now < self._next_pause_time:
            return
        get_logger().warning("twilio_has_too_many_calls", error=failure.message)
        asked_seconds = min(failure.retry_after_seconds, BUSY_PAUSE_SECONDS_MAX)
        seconds = max(asked_seconds, back_off_seconds(0, BUSY_PAUSE_SECONDS, BUSY_PAUSE_SECONDS))
        self._busy_until = now + seconds
        self._next_pause_time = now + 2 * seconds

    async def _hear_all(self, calls: Sequence[Call]) -> list[TwilioHealth]:
        row = await self._database.run(trouble.read)
        health = row.health
        # Hardly ever is there anything to write.
        if _heard(health, calls, timedelta(), row.now) != health:
            health = await self._change(
                lambda locked, now: _heard(locked, calls, self._pause(locked), now)
            )
        self._know(health.state)
        return [health] * len(calls)

    async def _settle_doubt(self) -> TwilioHealth:
        """Return how Twilio stands once the probe that is to tell has told, or took too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.probe_lease.total_seconds()), self._doubt:
                while (await self.read()).in_doubt:
                    if not await self.probe_if_due():
                        await asyncio.sleep(LOOK_SECONDS)
        return await self.read()

    async def probe_if_due(self) -> bool:
        """Ask for the parent if it is time and nobody else does; answer whether that was so."""
        row = await self._database.run(trouble.read)
        self._know(row.health.state)
        if claim_probe(row.health, self._timing.probe_lease, row.now) is None:
            return False
        claimed = await self._database.transact(self._claim_probe)
        if claimed is None:
            return False
        found = await self._ask()
        pause = self._pause(claimed)
        health = await self._change(
            lambda locked, now: record_probe(locked, claimed, found, pause, now)
        )
        self._know(health.state)
        return True

    async def _claim_probe(self, connection: Connection) -> TwilioHealth | None:
        row = await trouble.lock(connection)
        claimed = claim_probe(row.health, self._timing.probe_lease, row.now)
        if claimed is not None:
            await trouble.save(connection, claimed)
        return claimed

    async def _ask(self) -> ObservedState | Failure:
        try:
            return await self._twilio.fetch_status(self._parent_account_sid)
        except TwilioError as error:
            return error.failure
        except Exception as error:  # noqa: BLE001 - whatever it is, the next probe may tell
            get_logger().exception("probe_defect")
            return defect(error)

    async def _change(
        self, change: Callable[[TwilioHealth, datetime], TwilioHealth]
    ) -> TwilioHealth:
        before, after = await self._database.transact(_change, change)
        if before.state is not after.state:
            # By whoever changed it, so that it is told once.
            log = get_logger().error if after.in_trouble else get_logger().warning
            log(
                "twilio_state_changed",
                was=before.state,
                state=after.state,
                was_since=before.since.isoformat(),
                error=after.last_error,
            )
        return after

    def _pause(self, health: TwilioHealth) -> timedelta:
        seconds = back_off_seconds(
            health.probe_count, PROBE_PAUSE_BASE_SECONDS, self._back_off_max_seconds
        )
        return timedelta(seconds=seconds)

    def _know(self, state: TwilioState) -> None:
        self._state = state
        for each in TwilioState:
            self._states.labels(each).set(each is state)


def _heard(
    health: TwilioHealth, calls: Sequence[Call], pause: timedelta, now: datetime
) -> TwilioHealth:
    return reduce(lambda heard, call: hear(heard, call, pause, now), calls, health)


async def _change(
    connection: Connection, change: Callable[[TwilioHealth, datetime], TwilioHealth]
) -> tuple[TwilioHealth, TwilioHealth]:
    row = await trouble.lock(connection)
    changed = change(row.health, row.now)
    if changed != row.health:
        await trouble.save(connection, changed)
    return row.health, changed
