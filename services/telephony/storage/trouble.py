"""How Twilio stands as a whole: the service's one row about it."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from services.telephony.domain.trouble import TwilioHealth, TwilioState


@dataclass(frozen=True, slots=True)
class HealthRow:
    """How Twilio stands, and the database's time at which that was read."""

    health: TwilioHealth
    now: datetime


READ = "SELECT *, statement_timestamp() AS now FROM twilio_trouble"


async def read(connection: Connection) -> HealthRow:
    """Read the row as it is."""
    return _to_row(await connection.fetchrow(READ))


READ_STATE = "SELECT state FROM twilio_trouble"


async def read_state(connection: Connection) -> TwilioState:
    """Read what blocks everybody, if anything does."""
    return TwilioState(await connection.fetchval(READ_STATE))


# The clock is read outside of the locking query: it tells the time after the wait for the lock.
LOCK = """
WITH locked AS MATERIALIZED (SELECT * FROM twilio_trouble FOR UPDATE)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""


async def lock(connection: Connection) -> HealthRow:
    """Lock the row until the transaction ends. Whoever holds it waits for no other lock."""
    return _to_row(await connection.fetchrow(LOCK))


SAVE = """
UPDATE twilio_trouble
SET state = $1, since = $2, last_error = $3, failure_count = $4, failing_names = $5,
    probe_count = $6, probe_due_time = $7, probe_number = $8, probe_lease_end_time = $9
"""


async def save(connection: Connection, health: TwilioHealth) -> None:
    """Write the row that is locked."""
    await connection.execute(
        SAVE,
        health.state,
        health.since,
        health.last_error,
        health.failure_count,
        list(health.failing_names),
        health.probe_count,
        health.probe_due_time,
        health.probe_number,
        health.probe_lease_end_time,
    )


def _to_row(row: Record | None) -> HealthRow:
    assert row is not None
    health = TwilioHealth(
        state=TwilioState(row["state"]),
        since=row["since"],
        last_error=row["last_error"],
        failure_count=row["failure_count"],
        failing_names=tuple(row["failing_names"]),
        probe_count=row["probe_count"],
        probe_due_time=row["probe_due_time"],
        probe_number=row["probe_number"],
        probe_lease_end_time=row["probe_lease_end_time"],
    )
    return HealthRow(health, row["now"])
