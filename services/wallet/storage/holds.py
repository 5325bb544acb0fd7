"""Holds: found by their reference or their time, written whole."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from libs.database import Connection, Record
from services.wallet.domain.values import Hold, HoldState
from services.wallet.storage.keys import Key, columns_of

FIND_HOLDS_OF_ONE = "SELECT * FROM holds WHERE organization_id = $1 AND reference_id = ANY($2)"

FIND_HOLDS = """
SELECT holds.*
FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, reference_id)
JOIN holds
  ON holds.organization_id = wanted.organization_id
 AND holds.reference_id = wanted.reference_id
"""


async def find_holds(connection: Connection, keys: Iterable[Key]) -> dict[Key, Hold]:
    """Return the holds that were placed under these references."""
    organization_ids, reference_ids = columns_of(keys)
    if len(set(organization_ids)) == 1:
        rows = await connection.fetch(FIND_HOLDS_OF_ONE, organization_ids[0], reference_ids)
    else:
        rows = await connection.fetch(FIND_HOLDS, organization_ids, reference_ids)
    holds = [_to_hold(row) for row in rows]
    return {(hold.organization_id, hold.reference_id): hold for hold in holds}


LIST_DUE_HOLDS = """
SELECT * FROM holds
WHERE organization_id = $1 AND state = 'OPEN' AND expire_time <= $2
ORDER BY expire_time, reference_id
LIMIT $3
"""


async def list_due_holds(
    connection: Connection, organization_id: str, now: datetime, limit: int
) -> tuple[Hold, ...]:
    """Return the open holds of a wallet whose time is up."""
    rows = await connection.fetch(LIST_DUE_HOLDS, organization_id, now, limit)
    return tuple(_to_hold(row) for row in rows)


NEXT_EXPIRE_TIME = """
SELECT min(expire_time) FROM holds
WHERE organization_id = $1 AND state = 'OPEN' AND NOT (reference_id = ANY($2))
"""


async def next_expire_time(
    connection: Connection, organization_id: str, besides: Sequence[Hold]
) -> datetime | None:
    """Return when the first of the other open holds of a wallet will expire."""
    reference_ids = [hold.reference_id for hold in besides]
    time: datetime | None = await connection.fetchval(
        NEXT_EXPIRE_TIME, organization_id, reference_ids
    )
    return time


SAVE_HOLDS = """
INSERT INTO holds SELECT * FROM unnest($1::holds[])
ON CONFLICT (organization_id, reference_id) DO UPDATE
SET amount_micros = EXCLUDED.amount_micros, remaining_micros = EXCLUDED.remaining_micros,
    captured_micros = EXCLUDED.captured_micros, state = EXCLUDED.state,
    expire_time = EXCLUDED.expire_time, description = EXCLUDED.description,
    metadata = EXCLUDED.metadata, create_time = EXCLUDED.create_time,
    update_time = EXCLUDED.update_time
"""


async def save_holds(connection: Connection, holds: Sequence[Hold]) -> None:
    """Write holds as they stand now."""
    await connection.execute(
        SAVE_HOLDS,
        [
            (
                hold.organization_id,
                hold.reference_id,
                hold.amount_micros,
                hold.remaining_micros,
                hold.captured_micros,
                hold.state,
                hold.expire_time,
                hold.description,
                hold.metadata,
                hold.create_time,
                hold.update_time,
            )
            for hold in holds
        ],
    )


# State by state, so that each is read in the order of the index, and no further than the page goes.
LIST_HOLDS = """
SELECT found.*
FROM unnest($2::text[]) AS wanted (state)
CROSS JOIN LATERAL (
    SELECT * FROM holds
    WHERE organization_id = $1
      AND state = wanted.state
      AND (create_time, reference_id) < (coalesce($3::timestamptz, 'infinity'), $4)
    ORDER BY create_time DESC, reference_id DESC
    LIMIT $5
) AS found
ORDER BY create_time DESC, reference_id DESC
LIMIT $5
"""


class Place(NamedTuple):
    """Where a hold stands among those of its organization; without a time, after all of them."""

    create_time: datetime | None
    reference_id: str


NEWEST = Place(None, "")


async def list_holds(
    connection: Connection,
    organization_id: str,
    states: Iterable[HoldState],
    before: Place,
    limit: int,
) -> list[Hold]:
    """Return an organization's holds in these states, newest first, before the given place."""
    rows = await connection.fetch(LIST_HOLDS, organization_id, list(states), *before, limit)
    return [_to_hold(row) for row in rows]


def _to_hold(row: Record) -> Hold:
    return Hold(
        organization_id=row["organization_id"],
        reference_id=row["reference_id"],
        amount_micros=row["amount_micros"],
        remaining_micros=row["remaining_micros"],
        captured_micros=row["captured_micros"],
        state=HoldState(row["state"]),
        expire_time=row["expire_time"],
        description=row["description"],
        metadata=row["metadata"],
        create_time=row["create_time"],
        update_time=row["update_time"],
    )
