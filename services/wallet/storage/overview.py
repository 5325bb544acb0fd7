"""How many wallets stand so. Each count reads an index of its own; as the list shows them."""

from datetime import datetime

from libs.counting import begin_counting
from libs.database import Connection
from services.wallet.domain.overview import FreezeCount, WalletCounts
from services.wallet.domain.values import FreezeReason

COUNT_WALLETS = """
SELECT
    (
        SELECT count(*) FROM wallets WHERE freezes <> '[]' AND currency_code IS NOT NULL
    ) AS frozen_count,
    (
        SELECT count(*) FROM wallets WHERE owed_micros > 0 AND currency_code IS NOT NULL
    ) AS owing_count,
    (
        SELECT count(*) FROM wallets WHERE depleted AND currency_code IS NOT NULL
    ) AS depleted_count
"""

# The least pair has the oldest time: all times are written in UTC, to the same length but for a
# fraction of a second. A wallet counts once for a reason, however many disputes freeze it.
COUNT_FREEZES = """
SELECT reason, count(*) AS freeze_count, min(oldest) AS oldest
FROM wallets,
    LATERAL (
        SELECT each_freeze ->> 'reason' AS reason,
            min(ARRAY[each_freeze ->> 'create_time', organization_id] COLLATE "C") AS oldest
        FROM jsonb_array_elements(freezes) AS each_freeze
        GROUP BY each_freeze ->> 'reason'
    ) AS own
WHERE freezes <> '[]' AND currency_code IS NOT NULL
GROUP BY reason
"""


async def count_wallets(connection: Connection) -> WalletCounts:
    """Count, in a transaction of its own, wallets that were opened, as they are stored."""
    now = await begin_counting(connection)
    [row] = await connection.fetch(COUNT_WALLETS)
    freezes = {
        FreezeReason(each["reason"]): FreezeCount(
            each["freeze_count"], datetime.fromisoformat(each["oldest"][0]), each["oldest"][1]
        )
        for each in await connection.fetch(COUNT_FREEZES)
    }
    return WalletCounts(
        time=now,
        frozen_count=row["frozen_count"],
        owing_count=row["owing_count"],
        depleted_count=row["depleted_count"],
        freezes={reason: freezes.get(reason, FreezeCount()) for reason in FreezeReason},
    )
