"""The wallet's SQL: each statement above the one function that sends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Record
from libs.levels import subscription_columns, subscription_level_of
from services.wallet.domain.values import (
    Entry,
    EntryFilter,
    EntryType,
    Freeze,
    FreezeReason,
    Payment,
    Wallet,
)

MAKE_ROW = """
INSERT INTO wallets (organization_id, create_time, update_time) VALUES ($1, now(), now())
ON CONFLICT DO NOTHING
"""


async def make_row(connection: Connection, organization_id: str) -> None:
    """Make the organization's row, so that there is one to lock."""
    await connection.execute(MAKE_ROW, organization_id)


# The clock is read outside of the locking query: it tells the time after the wait for the lock.
LOCK_WALLET = """
WITH locked AS MATERIALIZED (SELECT * FROM wallets WHERE organization_id = $1 FOR UPDATE)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""

READ_WALLET = "SELECT *, clock_timestamp() AS now FROM wallets WHERE organization_id = $1"


@dataclass(frozen=True, slots=True)
class WalletRow:
    """A wallet, and the database's time at which it was read."""

    wallet: Wallet
    now: datetime


async def lock_wallet(connection: Connection, organization_id: str) -> WalletRow | None:
    """Lock the organization's row until the transaction ends."""
    return _to_wallet_row(await connection.fetchrow(LOCK_WALLET, organization_id))


async def read_wallet(connection: Connection, organization_id: str) -> WalletRow | None:
    """Read the organization's row without a lock."""
    return _to_wallet_row(await connection.fetchrow(READ_WALLET, organization_id))


SAVE_WALLET = """
UPDATE wallets
SET currency_code = $2, balance_micros = $3, last_sequence = $4, freezes = $5, level_revision = $6,
    depleted_since = $7, subscription_revision = $8, subscription_state = $9,
    subscription_good_standing = $10, subscription_good_until = $11, reevaluate_time = $12,
    create_time = $13, update_time = $14
WHERE organization_id = $1
"""


async def save_wallet(connection: Connection, wallet: Wallet) -> None:
    """Write the row that is locked."""
    await connection.execute(
        SAVE_WALLET,
        wallet.organization_id,
        wallet.currency_code,
        wallet.balance_micros,
        wallet.entry_count or None,
        [_freeze_to_json(freeze) for freeze in wallet.freezes],
        wallet.level_revision,
        wallet.depleted_since,
        *subscription_columns(wallet.subscription),
        wallet.reevaluate_time,
        wallet.create_time,
        wallet.update_time,
    )


APPEND_ENTRY = """
INSERT INTO entries (
    organization_id, sequence, type, amount_micros, balance_after_micros, reference_id,
    reference_part, payment_id, counterparty_account, freeze_reason, freeze_reference_id, actor,
    description, metadata, create_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""


async def append_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append to the ledger."""
    await connection.executemany(
        APPEND_ENTRY,
        [
            (
                entry.organization_id,
                entry.sequence,
                entry.type,
                entry.amount_micros,
                entry.balance_after_micros,
                entry.reference_id,
                entry.reference_part,
                entry.payment_id,
                entry.counterparty_account,
                entry.freeze_reason,
                entry.freeze_reference_id,
                entry.actor,
                entry.description,
                dict(entry.metadata),
                entry.create_time,
            )
            for entry in entries
        ],
    )


FIND_BY_REFERENCE = """
SELECT * FROM entries WHERE organization_id = $1 AND reference_id = $2 ORDER BY reference_part
"""


async def find_entries_by_reference(
    connection: Connection, organization_id: str, reference_id: str
) -> tuple[Entry, ...]:
    """Return what was written under a reference, in its order; nothing if it is unused."""
    rows = await connection.fetch(FIND_BY_REFERENCE, organization_id, reference_id)
    return tuple(_to_entry(row) for row in rows)


FIND_PAYMENT = "SELECT * FROM payments WHERE organization_id = $1 AND payment_id = $2"


async def find_payment(
    connection: Connection, organization_id: str, payment_id: str
) -> Payment | None:
    """Return a payment's level as far as it has been applied."""
    row = await connection.fetchrow(FIND_PAYMENT, organization_id, payment_id)
    return Payment(payment_id, row["revision"], row["credited_micros"]) if row else None


SAVE_PAYMENT = """
INSERT INTO payments (organization_id, payment_id, revision, credited_micros)
VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, payment_id) DO UPDATE
SET revision = EXCLUDED.revision, credited_micros = EXCLUDED.credited_micros
"""


async def save_payment(connection: Connection, organization_id: str, payment: Payment) -> None:
    """Write a payment's level."""
    await connection.execute(
        SAVE_PAYMENT,
        organization_id,
        payment.payment_id,
        payment.revision,
        payment.credited_micros,
    )


LIST_ENTRIES = """
SELECT * FROM entries
WHERE organization_id = $1
  AND ($2::bigint IS NULL OR sequence < $2)
  AND ($3::timestamptz IS NULL OR create_time >= $3)
  AND ($4::timestamptz IS NULL OR create_time < $4)
  AND ($5::text IS NULL OR type = $5)
  AND ($6::text = '' OR reference_id = $6 OR freeze_reference_id = $6)
  AND ($7::text = '' OR payment_id = $7)
  AND ($8::text = '' OR actor = $8)
ORDER BY sequence DESC
LIMIT $9
"""


async def list_entries(
    connection: Connection, wanted: EntryFilter, before_sequence: int | None, limit: int
) -> list[Entry]:
    """Return entries, newest first, before the given one."""
    rows = await connection.fetch(
        LIST_ENTRIES,
        wanted.organization_id,
        before_sequence,
        wanted.start_time,
        wanted.end_time,
        wanted.type,
        wanted.reference_id,
        wanted.payment_id,
        wanted.actor,
        limit,
    )
    return [_to_entry(row) for row in rows]


LIST_DUE = """
SELECT organization_id FROM wallets
WHERE reevaluate_time <= now()
ORDER BY reevaluate_time
LIMIT $1
"""


async def list_due_organizations(connection: Connection, limit: int) -> list[str]:
    """Return organizations whose wallet time alone has changed."""
    return [row["organization_id"] for row in await connection.fetch(LIST_DUE, limit)]


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


def _to_wallet_row(row: Record | None) -> WalletRow | None:
    if row is None:
        return None
    wallet = Wallet(
        organization_id=row["organization_id"],
        currency_code=row["currency_code"],
        balance_micros=row["balance_micros"],
        freezes=tuple(_freeze_from_json(each) for each in row["freezes"]),
        entry_count=row["last_sequence"] or 0,
        level_revision=row["level_revision"],
        depleted_since=row["depleted_since"],
        subscription=subscription_level_of(row),
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


def _to_entry(row: Record) -> Entry:
    return Entry(
        organization_id=row["organization_id"],
        sequence=row["sequence"],
        type=EntryType(row["type"]),
        amount_micros=row["amount_micros"],
        balance_after_micros=row["balance_after_micros"],
        create_time=row["create_time"],
        reference_id=row["reference_id"],
        reference_part=row["reference_part"],
        payment_id=row["payment_id"],
        freeze_reason=FreezeReason(row["freeze_reason"]) if row["freeze_reason"] else None,
        freeze_reference_id=row["freeze_reference_id"],
        actor=row["actor"],
        description=row["description"],
        metadata=row["metadata"],
    )
