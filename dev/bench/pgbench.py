"""What PostgreSQL's own benchmark does on one hot row, with the statements of a plain ledger."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from dev.bench.programs import run_to_end
from dev.bench.requests import FUNDS_MICROS, PRICE_MICROS, organization_of
from dev.bench.rows import Figures
from dev.postgres_binaries import find_binaries
from dev.stack.errors import StackError

CLIENTS = 8

TABLES = """
CREATE TABLE plain_wallets (
    organization_id text PRIMARY KEY,
    balance_micros bigint NOT NULL,
    last_sequence bigint NOT NULL
);
CREATE TABLE plain_entries (
    organization_id text NOT NULL,
    sequence bigint NOT NULL,
    amount_micros bigint NOT NULL,
    balance_after_micros bigint NOT NULL,
    reference_id text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (organization_id, sequence),
    UNIQUE (organization_id, reference_id)
);
"""

ADD_WALLET = "INSERT INTO plain_wallets VALUES ($1, $2, 0)"

TRANSACTION = """
BEGIN;
SELECT balance_micros, last_sequence FROM plain_wallets
    WHERE organization_id = :organization FOR UPDATE \\gset
UPDATE plain_wallets
    SET balance_micros = balance_micros - :price, last_sequence = last_sequence + 1
    WHERE organization_id = :organization;
INSERT INTO plain_entries VALUES (
    :organization, :last_sequence::bigint + 1, -:price::bigint, :balance_micros::bigint - :price,
    gen_random_uuid(), now()
);
COMMIT;
"""

FOUND = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


async def prepare(superuser_url: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(TABLES)
        await connection.execute(ADD_WALLET, organization_of(0), FUNDS_MICROS)
    finally:
        await connection.close()


async def measure_transactions(superuser_url: str, seconds: float, directory: Path) -> Figures:
    script = directory / "pgbench.sql"
    script.write_text(TRANSACTION)
    output = await run_to_end(
        str(find_binaries() / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}"),
        *(f"--time={max(1, round(seconds))}", f"--file={script}"),
        *(f"--define=organization={organization_of(0)}", f"--define=price={PRICE_MICROS}"),
        environment=_connection_settings(superuser_url),
    )
    if (found := FOUND.search(output)) is None:
        raise StackError(f"pgbench failed: {output}")
    return {"pgbench_transactions_per_second": float(found[1])}


def _connection_settings(url: str) -> dict[str, str]:
    """As the programs of PostgreSQL take it from their environment."""
    parts = urlsplit(url)
    return {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": parts.username or "",
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
    }
