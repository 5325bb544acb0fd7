"""The row of each organization: locked first, written last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Record
from libs.levels import subscription_columns, subscription_level_of
from services.wallet.domain.filters import WalletFilter
from services.wallet.domain.funds import Funds
from services.wallet.domain.values import Freeze, FreezeReason, Wallet


@dataclass(frozen=True, slots=True)
class WalletRow:
    """A wallet, and the database's time at which it was read."""

    wallet: Wallet
    now: datetime


LOCK_FREE_WALLET = """
SELECT *, clock_timestamp() AS now FROM wallets WHERE organization_id = $1 FOR UPDATE SKIP LOCKED
"""

# One time for all of them: it is waited for none.
LOCK_FREE_WALLETS = """
SELECT *, (SELECT clock_timestamp()) AS now FROM wallets WHERE organization_id = ANY($1)
FOR UPDATE SKIP LOCKED
"""


async def lock_free_wallets(
    connection: Connection, organization_ids: Sequence[str]
) -> dict[str, WalletRow]:
    """Lock those that nobody else has locked, waiting for none, until the transaction ends."""
    if len(organization_ids) == 1:
        rows = await connection.fetch(LOCK_FREE_WALLET, organization_ids[0])
    else:
        rows = await connection.fetch(LOCK_FREE_WALLETS, organization_ids)
    return {row["organization_id"]: _to_wallet_row(row) for row in rows}


# The clock is read outside of the locking query: it tells the time after the wait for the lock.
LOCK_WALLET = """
WITH locked AS MATERIALIZED (SELECT * FROM wallets WHERE organization_id = $1 FOR UPDATE)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""


async def lock_wallet(connection: Connection, organization_id: str) -> WalletRow | None:
    """Lock the organization's row, waiting for whoever has it."""
    row = await connection.fetchrow(LOCK_WALLET, organization_id)
    return _to_wallet_row(row) if row else None


MAKE_WALLET = """
INSERT INTO wallets (organization_id, create_time, update_time)
VALUES ($1, now(), now())
ON CONFLICT DO NOTHING
"""


async def make_wallet(connection: Connection, organization_id: str) -> WalletRow:
    """Make the organization's row, waiting for whoever is making it, and lock it."""
    await connection.execute(MAKE_WALLET, organization_id)
    row = await lock_wallet(connection, organization_id)
    if row is None:
        raise RuntimeError("a wallet's row is gone as soon as it was made")
    return row


FIND_LOCK_HOLDER = """
SELECT pg_stat_activity.pid, pg_stat_activity.usename, pg_stat_activity.application_name,
    pg_stat_activity.state, pg_stat_activity.xact_start
FROM wallets
JOIN pg_stat_activity ON pg_stat_activity.backend_xid = wallets.xmax
WHERE organization_id = $1
"""


async def find_lock_holder(connection: Connection, organization_id: str) -> dict[str, str]:
    """Say who has the row locked, as far as PostgreSQL tells; empty if nobody has."""
    row = await connection.fetchrow(FIND_LOCK_HOLDER, organization_id)
    return {f"holder_{name}": str(value) for name, value in row.items()} if row else {}


READ_WALLET = "SELECT *, clock_timestamp() AS now FROM wallets WHERE organization_id = $1"


async def read_wallet(connection: Connection, organization_id: str) -> WalletRow | None:
    """Read the organization's row without a lock."""
    row = await connection.fetchrow(READ_WALLET, organization_id)
    return _to_wallet_row(row) if row else None


OPEN_WALLET = "SELECT open_wallet($1, $2)"

SAVE_WALLET = """
UPDATE wallets
SET kept_micros = $2, at_risk_micros = $3, depleted = $4, depleted_since = $5,
    depleted_below_micros = $6, resume_above_micros = $7, freezes = $8, level_revision = $9,
    subscription_revision = $10, subscription_state = $11, subscription_good_standing = $12,
    subscription_good_until = $13, next_hold_expire_time = $14, reevaluate_time = $15,
    create_time = $16, update_time = $17
WHERE organization_id = $1
"""


async def save_wallets(connection: Connection, wallets: Sequence[Wallet]) -> None:
    """Write all of the locked rows but the money and its currency, which go with the entries."""
    for wallet in wallets:
        if wallet.currency_code and not wallet.entry_count:
            await connection.execute(OPEN_WALLET, wallet.organization_id, wallet.currency_code)
    await connection.executemany(
        SAVE_WALLET,
        [
            (
                wallet.organization_id,
                wallet.funds.kept_micros,
                wallet.at_risk_micros,
                wallet.depleted,
                wallet.depleted_since,
                wallet.depleted_below_micros,
                wallet.resume_above_micros,
                [_freeze_to_json(freeze) for freeze in wallet.freezes],
                wallet.level_revision,
                *subscription_columns(wallet.subscription),
                wallet.next_hold_expire_time,
                wallet.reevaluate_time,
                wallet.create_time,
                wallet.update_time,
            )
            for wallet in wallets
        ],
    )


class Due(NamedTuple):
    """A wallet that time alone changes, and when; in this order they are listed."""

    time: datetime
    organization_id: str


# Before all others: nothing was due then.
FIRST_DUE = Due(datetime.fromtimestamp(0, UTC), "")

LIST_DUE = """
SELECT reevaluate_time, organization_id FROM wallets
WHERE reevaluate_time <= now() AND (reevaluate_time, organization_id) > ($1, $2)
ORDER BY reevaluate_time, organization_id
LIMIT $3
"""


async def list_due(connection: Connection, after: Due, limit: int) -> list[Due]:
    """Return wallets that time alone has changed, longest due first, after the given one."""
    return [Due(*row) for row in await connection.fetch(LIST_DUE, *after, limit)]


LIFT_REVISION = """
UPDATE wallets SET level_revision = $3 WHERE organization_id = $1 AND level_revision <= $2
"""


async def lift_revision(
    connection: Connection, organization_id: str, from_at_most: int, to: int
) -> bool:
    """Set the level's revision unless it is higher than expected; answer whether it was set."""
    tag = await connection.execute(LIFT_REVISION, organization_id, from_at_most, to)
    return tag == "UPDATE 1"


LIST_LEVELS = """
SELECT organization_id, level_revision FROM wallets
WHERE level_revision > 0 AND organization_id > $1
ORDER BY organization_id
LIMIT $2
"""


async def list_levels(connection: Connection, after: str, limit: int) -> list[CurrentLevel]:
    """Return the levels of opened wallets in the order of their organizations."""
    rows = await connection.fetch(LIST_LEVELS, after, limit)
    return [CurrentLevel(LevelKey(row["organization_id"]), row["level_revision"]) for row in rows]


LIST_WALLETS = """
SELECT *, clock_timestamp() AS now FROM wallets
WHERE currency_code IS NOT NULL
  AND organization_id > $1
  AND (($2::text IS NULL AND $3::timestamptz IS NULL) OR EXISTS (
      SELECT FROM jsonb_array_elements(freezes) AS each_freeze
      WHERE ($2 IS NULL OR each_freeze ->> 'reason' = $2)
        AND ($3 IS NULL OR (each_freeze ->> 'create_time')::timestamptz < $3)
  ))
  {conditions}
ORDER BY organization_id
LIMIT $4
"""

# In the words of the partial indexes, which a parameter could not be.
FROZEN = {None: "", True: "AND freezes <> '[]'", False: "AND freezes = '[]'"}
OWING = {None: "", True: "AND owed_micros > 0", False: "AND owed_micros = 0"}
DEPLETED = {None: "", True: "AND depleted", False: "AND NOT depleted"}


def is_frozen_by(reason: FreezeReason) -> str:
    """Return the condition in the words of the reason's partial index."""
    return f"""freezes @> '[{{"reason": "{reason}"}}]'"""


async def list_wallets(
    connection: Connection, wanted: WalletFilter, after: str, limit: int
) -> list[WalletRow]:
    """Return opened wallets in the order of their organizations."""
    about_freezes = wanted.freeze_reason or wanted.frozen_before
    frozen = FROZEN[True if about_freezes and wanted.frozen is None else wanted.frozen]
    by_reason = f"AND {is_frozen_by(wanted.freeze_reason)}" if wanted.freeze_reason else ""
    conditions = f"{frozen} {by_reason} {OWING[wanted.owing]} {DEPLETED[wanted.depleted]}"
    rows = await connection.fetch(
        LIST_WALLETS.format(conditions=conditions),
        after,
        wanted.freeze_reason,
        wanted.frozen_before,
        limit,
    )
    return [_to_wallet_row(row) for row in rows]


def _to_wallet_row(row: Record) -> WalletRow:
    wallet = Wallet(
        organization_id=row["organization_id"],
        currency_code=row["currency_code"],
        funds=Funds(
            row["balance_micros"], row["held_micros"], row["owed_micros"], row["kept_micros"]
        ),
        at_risk_micros=row["at_risk_micros"],
        entry_count=row["last_sequence"],
        chain=row["chain"],
        depleted=row["depleted"],
        depleted_below_micros=row["depleted_below_micros"],
        resume_above_micros=row["resume_above_micros"],
        freezes=tuple(_freeze_from_json(each) for each in row["freezes"]),
        level_revision=row["level_revision"],
        depleted_since=row["depleted_since"],
        subscription=subscription_level_of(row),
        next_hold_expire_time=row["next_hold_expire_time"],
        create_time=row["create_time"],
        update_time=row["update_time"],
    )
    return WalletRow(wallet, row["now"])


def _freeze_to_json(freeze: Freeze) -> dict[str, str]:
    return {
        "reason": freeze.reason,
        "reference_id": freeze.reference_id,
        "note": freeze.note,
        "actor": freeze.actor,
        "create_time": freeze.create_time.isoformat(),
    }


def _freeze_from_json(value: dict[str, Any]) -> Freeze:
    return Freeze(
        reason=FreezeReason(value["reason"]),
        reference_id=value["reference_id"],
        note=value["note"],
        actor=value["actor"],
        create_time=datetime.fromisoformat(value["create_time"]),
    )
