"""Sums over the ledgers of all wallets."""

from datetime import datetime

from libs.database import Connection
from services.wallet.domain.reports import (
    Bucket,
    BucketSize,
    TrialBalance,
    require_int64,
    trial_balance,
)
from services.wallet.domain.values import EntryType

SUM_ENTRIES = """
SELECT type, sum(amount_micros) AS amount_micros
FROM entries
WHERE currency_code = $1
GROUP BY type
"""

SUM_WALLETS = """
SELECT
    coalesce(sum(balance_micros), 0) AS balance_micros,
    coalesce(sum(owed_micros), 0) AS owed_micros
FROM wallets
WHERE currency_code = $1
"""


async def read_trial_balance(connection: Connection, currency_code: str) -> TrialBalance:
    """Return what stands on each account in a currency."""
    rows = await connection.fetch(SUM_ENTRIES, currency_code)
    (wallets,) = await connection.fetch(SUM_WALLETS, currency_code)
    amounts = {EntryType(row["type"]): int(row["amount_micros"]) for row in rows}
    return trial_balance(amounts, int(wallets["balance_micros"]), int(wallets["owed_micros"]))


COUNT_BUCKETS = """
SELECT
    date_trunc($1, create_time, 'UTC') AS start_time,
    type,
    count(*) AS count,
    sum(amount_micros) AS total_micros
FROM entries
WHERE create_time >= $2 AND create_time < $3 AND currency_code = $4
GROUP BY 1, 2
ORDER BY 1, 2
"""


async def count_buckets(
    connection: Connection,
    bucket_size: BucketSize,
    start_time: datetime,
    end_time: datetime,
    currency_code: str,
) -> list[Bucket]:
    """Count and sum up the entries of each type in each hour or day."""
    rows = await connection.fetch(COUNT_BUCKETS, bucket_size, start_time, end_time, currency_code)
    return [
        Bucket(
            row["start_time"],
            EntryType(row["type"]),
            row["count"],
            require_int64(int(row["total_micros"])),
        )
        for row in rows
    ]
