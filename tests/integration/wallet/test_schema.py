"""The database defends the ledger by itself, against the service's own role."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.integration.wallet.ledgers import verify
from tests.integration.wallet.requests import credit, debit, open_wallet, wallet_now
from tests.support.databases import ServiceDatabase
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# The wallet has 100: a credit of 200, a debit of 100.
NEXT_ENTRY = {
    "organization_id": "'org-1'",
    "sequence": "3",
    "amount_micros": "5",
    "balance_after_micros": "105",
    "held_after_micros": "0",
    "owed_after_micros": "0",
    "create_time": "now()",
    "type": "'TOP_UP'",
    "currency_code": "'USD'",
    "reference_id": "'new'",
    "reference_part": "0",
    "payment_id": "NULL",
    "hold_reference_id": "NULL",
    "freeze_reason": "NULL",
    "freeze_reference_id": "NULL",
    "actor": "''",
    "description": "''",
    "metadata": "NULL",
    "chain": r"'\x00'",
}
REPAIR = {"type": "'REPAIR'", "amount_micros": "0", "balance_after_micros": "100"}


def row(**changes: str) -> str:
    """Return an entry as SQL."""
    return f"ROW({', '.join({**NEXT_ENTRY, **changes}.values())})::entries"


def append(*rows: str) -> str:
    """Return what the service sends."""
    return f"SELECT append_entries(ARRAY[{', '.join(rows)}])"


def repair(**changes: str) -> str:
    """Return what a repair sends."""
    return f"SELECT repair_wallet({row(**{**REPAIR, **changes})})"


PERMISSION = "permission denied"
OWNER = "must be owner"
FOLLOWING = "entries_follow_one_another"
REPAIRING = "repairs_follow_from_entries"
REFUSED = {
    "negative": (
        append(row(type="'DEBIT'", amount_micros="-500", balance_after_micros="-400")),
        "entries_balance_not_negative",
    ),
    "more is held than is there": (
        append(row(held_after_micros="106")),
        "entries_held_within_balance",
    ),
    "less than nothing is held": (append(row(held_after_micros="-1")), "entries_held_not_negative"),
    "less than nothing is owed": (
        append(row(balance_after_micros="104", owed_after_micros="-1")),
        "entries_owed_not_negative",
    ),
    "owed while something is available": (
        append(row(balance_after_micros="110", owed_after_micros="5")),
        "wallets_owed_only_when_nothing_is_available",
    ),
    "an orphan": (append(row(organization_id="'nobody'", sequence="1")), FOLLOWING),
    "a gap": (append(row(sequence="4")), FOLLOWING),
    "a gap within": (
        append(row(), row(sequence="5", balance_after_micros="110", reference_id="'newer'")),
        FOLLOWING,
    ),
    "no sequence": (append(row(sequence="0")), "entries_sequence_from_one"),
    "a sequence again": (append(row(sequence="2")), "entries_pkey"),
    "a reference again": (append(row(reference_id="'in'")), "entries_reference_once"),
    "a reference without its part": (
        append(row(reference_part="NULL")),
        "entries_reference_has_part",
    ),
    "a balance that does not follow": (append(row(balance_after_micros="106")), FOLLOWING),
    "a balance that does not follow within": (
        append(row(), row(sequence="4", balance_after_micros="109", reference_id="'newer'")),
        FOLLOWING,
    ),
    "an amount of the wrong sign": (
        append(row(amount_micros="-5", balance_after_micros="95")),
        "entries_amount_fits_type",
    ),
    "an unknown type": (append(row(type="'GIFT'")), "entries_amount_fits_type"),
    "no seal": (append(row(chain="NULL")), "entries_sealed"),
    "a direct insert": (f"INSERT INTO entries SELECT ({row()}).*", PERMISSION),
    "an edit": ("UPDATE entries SET amount_micros = 9", PERMISSION),
    "a removal": ("DELETE FROM entries", PERMISSION),
    "all removed": ("TRUNCATE entries", PERMISSION),
    "a balance without an entry": ("UPDATE wallets SET balance_micros = 99", PERMISSION),
    "a hold of nothing": ("UPDATE wallets SET held_micros = 9", PERMISSION),
    "a debt without an entry": ("UPDATE wallets SET owed_micros = 9", PERMISSION),
    "an entry forgotten": ("UPDATE wallets SET last_sequence = 1", PERMISSION),
    "another chain": ("UPDATE wallets SET chain = NULL", PERMISSION),
    "a wallet made with money": (
        "INSERT INTO wallets (organization_id, balance_micros) VALUES ('org-2', 1)",
        PERMISSION,
    ),
    "a wallet removed": ("DELETE FROM wallets", PERMISSION),
    "a hold removed": ("DELETE FROM holds", PERMISSION),
    "a payment removed": ("DELETE FROM payments", PERMISSION),
    "a hold of nobody": (
        "INSERT INTO holds VALUES ('nobody', 'h', 1, 1, 0, 'OPEN', now(), '', NULL, now(), now())",
        "holds_wallet_exists",
    ),
    "a payment of nobody": (
        "INSERT INTO payments VALUES ('nobody', 'p', 1, 1, 0, 0, false)",
        "payments_wallet_exists",
    ),
    "less than nothing is kept": (
        "UPDATE wallets SET kept_micros = -1",
        "wallets_kept_not_negative",
    ),
    "a repair that brings money": (repair(balance_after_micros="101"), REPAIRING),
    "a repair that forgives a debt": (repair(owed_after_micros="1"), REPAIRING),
    "a repair that is none": (repair(type="'TOP_UP'", amount_micros="5"), REPAIRING),
    "a repair after a gap": (repair(sequence="4"), REPAIRING),
    "a repair in place of an entry": (repair(sequence="2"), REPAIRING),
    "a repair of nobody": (
        repair(organization_id="'nobody'", sequence="1", balance_after_micros="0"),
        "repairs_have_a_wallet",
    ),
    "a constraint dropped": (
        "ALTER TABLE wallets DROP CONSTRAINT wallets_balance_not_negative",
        OWNER,
    ),
    "a function replaced": ("DROP FUNCTION append_entries(entries[])", OWNER),
    "constraints put off": ("SET session_replication_role = replica", PERMISSION),
    "a table of its own": ("CREATE TABLE mine ()", PERMISSION),
}


@pytest.fixture
async def role(wallet: WalletServiceStub, database: ServiceDatabase) -> AsyncIterator[Any]:
    """The service's own role in psql, beside a wallet with two entries."""
    await open_wallet(wallet)
    await wallet.Credit(credit(200, "in"))
    await wallet.Debit(debit(100, "out"))
    connection = await asyncpg.connect(database.url)
    yield connection
    await connection.close()


async def test_the_database_refuses_what_the_service_must_never_ask_for(
    wallet: WalletServiceStub, role: Any
) -> None:
    before = await wallet_now(wallet)
    for what, (statement, defence) in REFUSED.items():
        with pytest.raises(asyncpg.PostgresError) as caught:
            await role.execute(statement)
        assert defence in (caught.value.constraint_name or str(caught.value)), what
    assert await wallet_now(wallet) == before
    assert not (await verify(wallet)).findings


async def test_what_the_database_cannot_refuse_does_not_prove_itself(
    wallet: WalletServiceStub, role: Any
) -> None:
    """Whoever has the role's password has not the key."""
    await role.execute(append(row()))
    assert (await wallet_now(wallet)).balance_micros == 105
    assert (await verify(wallet)).kinds == {"ENTRY_CHANGED"}
