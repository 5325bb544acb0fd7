"""How many wallets stand so. Each count reads an index of its own; as the list shows them."""

from datetime import datetime

from libs.counting import begin_counting
from libs.database import Connection
from services.wallet.domain.overview import FreezeCount, WalletCounts
from services.wallet.domain.values import FreezeReason
from services.wallet.storage.wallets import is_frozen_by

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

# Each reason in the words of its own index, whose first row is the oldest. A wallet counts once for
# a reason, however many disputes freeze it.
COUNT_FREEZES_BY = """
(
    SELECT '{reason}' AS reason,
        (SELECT count(*) FROM wallets WHERE {is_frozen}) AS freeze_count,
        {since} AS oldest_time,
        organization_id AS oldest_organization_id
    FROM wallets WHERE {is_frozen}
    ORDER BY {since}, organization_id
    LIMIT 1
)
"""
SINCE = (
    """(jsonb_path_query_first(freezes, '$[*] ? (@.reason == "{reason}").create_time') """
    """#>> '{{}}') COLLATE "C\""""
)
COUNT_FREEZES = " UNION ALL ".join(
    COUNT_FREEZES_BY.format(
        reason=reason,
        is_frozen=f"{is_frozen_by(reason)} AND currency_code IS NOT NULL",
        since=SINCE.format(reason=reason),
    )
    for reason in FreezeReason
)


async def count_wallets(connection: Connection) -> WalletCounts:
    """Count, in a transaction of its own, wallets that were opened, as they are stored."""
    now = await begin_counting(connection)
    [row] = await connection.fetch(COUNT_WALLETS)
    freezes = {
        FreezeReason(each["reason"]): FreezeCount(
            each["freeze_count"],
            datetime.fromisoformat(each["oldest_time"]),
            each["oldest_organization_id"],
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
