"""The database defends the ledger by itself, against the service's own role."""

import asyncpg
import pytest

from tests.integration.wallet.requests import credit, debit, open_wallet
from tests.support.databases import ServiceDatabase
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ENTRY = """
INSERT INTO entries (organization_id, sequence, type, amount_micros, balance_after_micros,
    reference_id, reference_part, actor, description, metadata, create_time)
VALUES ('{organization}', {sequence}, '{type}', {amount}, {balance},
    '{reference}', 0, '', '', '{{}}', now())
"""


def entry(**changes: object) -> str:
    """Return a statement that appends an entry by hand."""
    usual = {
        "organization": "org-1",
        "sequence": 3,
        "type": "TOP_UP",
        "amount": 5,
        "balance": 105,
        "reference": "new",
    }
    return ENTRY.format(**{**usual, **changes})


@pytest.mark.parametrize(
    ("statement", "defence"),
    [
        ("UPDATE entries SET amount_micros = 9", "permission denied"),
        ("DELETE FROM entries", "permission denied"),
        ("TRUNCATE entries", "permission denied"),
        ("DELETE FROM wallets", "permission denied"),
        ("ALTER TABLE wallets DROP CONSTRAINT wallets_balance_not_negative", "must be owner"),
        ("CREATE TABLE mine ()", "permission denied"),
        ("UPDATE wallets SET balance_micros = -1", "wallets_balance_not_negative"),
        ("UPDATE wallets SET balance_micros = 99", "wallets_balance_of_last_entry"),
        ("UPDATE wallets SET last_sequence = NULL", "wallets_balance_has_entry"),
        (entry(reference="in"), "entries_reference_once"),
        (entry(sequence=2), "entries_pkey"),
        (entry(sequence=0), "entries_sequence_from_one"),
        (entry(amount=-5), "entries_amount_fits_type"),
        (entry(type="GIFT"), "entries_amount_fits_type"),
        (entry(type="DEBIT", amount=-500, balance=-400), "entries_balance_not_negative"),
        (entry(organization="nobody"), "entries_wallet_exists"),
    ],
)
async def test_the_database_refuses_what_the_service_must_never_ask_for(
    wallet: WalletServiceStub, database: ServiceDatabase, statement: str, defence: str
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(200, "in"))
    await wallet.Debit(debit(100, "out"))
    connection = await asyncpg.connect(database.url)
    try:
        with pytest.raises(asyncpg.PostgresError, match=defence):
            await connection.execute(statement)
    finally:
        await connection.close()
