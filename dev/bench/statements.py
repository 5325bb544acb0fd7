"""What PostgreSQL takes for a lone debit, as a process of its own: tells its timing as JSON.

The statements are the service's, in its order, in one transaction, with nothing around them.
"""

import argparse
import itertools
import json
import os

import asyncpg
import uvloop

from dev.bench.load import Timing, drive
from dev.bench.past import Past
from dev.bench.requests import organization_of
from services.wallet.app import WRITE_PATH_PLANNING
from services.wallet.domain.values import Entry
from services.wallet.storage.entries import APPEND_ENTRIES
from services.wallet.storage.wallets import LOCK_FREE_WALLET

DATABASE_URL = "BENCH_DATABASE_URL"
CHAIN_KEY = "BENCH_CHAIN_KEY"
WARM_UP_SECONDS = 0.5

LAST_ENTRY = """
SELECT * FROM entries WHERE organization_id = $1 ORDER BY sequence DESC LIMIT 1
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.bench.statements", description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    timing = uvloop.run(measure(os.environ[DATABASE_URL], os.environ[CHAIN_KEY], arguments.seconds))
    print(json.dumps(timing))


async def measure(database_url: str, chain_key: str, seconds: float) -> Timing:
    organization_id = organization_of(0)
    connection = await asyncpg.connect(database_url, server_settings=dict(WRITE_PATH_PLANNING))
    last = await connection.fetchrow(LAST_ENTRY, organization_id)
    assert last is not None
    past = Past([Entry(*last)], chain_key)

    async def debit(_: bytes) -> None:
        entry = past.debit(organization_id)
        async with connection.transaction():
            await connection.fetch(LOCK_FREE_WALLET, organization_id)
            await connection.execute(APPEND_ENTRIES, [entry])

    try:
        await drive(debit, itertools.repeat(b""), 1, WARM_UP_SECONDS)
        return await drive(debit, itertools.repeat(b""), 1, seconds)
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
