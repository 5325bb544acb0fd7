"""What is read to find what is strange in the ledgers."""

from datetime import datetime

from libs.database import Connection
from services.wallet.domain.anomalies import (
    ANOMALIES_MAX,
    SPIKE_FACTOR,
    SPIKE_MICROS_MIN,
    USUAL_DAYS,
    CreditLine,
    SpentDay,
)
from services.wallet.domain.values import EntryType
from services.wallet.storage.history import MICROSECOND, Span, find_last_until

# In the words of the index of rare types, too.
LIST_CREDITS = """
SELECT organization_id, sequence, create_time, type, currency_code, amount_micros,
    coalesce(payment_id, reference_id, '') AS name
FROM entries
WHERE type IN ('TOP_UP', 'PROMOTION', 'PAYMENT')
  AND type NOT IN ('DEBIT', 'HOLD', 'CAPTURE', 'RELEASE')
  AND create_time >= $1 AND create_time < $2
  AND ($3 = '' OR organization_id = $3)
LIMIT $4
"""


async def list_credits(
    connection: Connection, organization_id: str, span: Span, limit: int
) -> list[CreditLine]:
    """Return what has added money in a time, to one wallet or to all; at most so many."""
    rows = await connection.fetch(
        LIST_CREDITS, span.start_time, span.end_time, organization_id, limit
    )
    return [CreditLine(*row)._replace(type=EntryType(row["type"])) for row in rows]


# What is sent is few: of all days those that the rule itself finds strange.
SPIKES = f"""
, days AS (
    SELECT organization_id, currency_code, (create_time AT TIME ZONE 'UTC')::date AS day,
        max(create_time) AS last_time, -sum(amount_micros) AS spent_micros
    FROM spending
    GROUP BY 1, 2, 3
),
compared AS (
    SELECT *, coalesce(sum(spent_micros) OVER before, 0) AS spent_before_micros
    FROM days
    WINDOW before AS (
        PARTITION BY organization_id, currency_code ORDER BY day
        RANGE BETWEEN interval '{USUAL_DAYS} days' PRECEDING AND interval '1 day' PRECEDING
    )
)
SELECT * FROM compared
WHERE last_time >= $4 AND spent_micros > $5 AND spent_micros * $3 > $6 * spent_before_micros
ORDER BY last_time DESC
LIMIT $7
"""  # noqa: S608 - our own words

LIST_SPIKES = f"""
WITH spending AS (
    SELECT organization_id, currency_code, create_time, amount_micros FROM entries
    WHERE type IN ('DEBIT', 'CAPTURE') AND create_time >= $1 AND create_time < $2
)
{SPIKES}
"""  # noqa: S608 - our own words

LIST_SPIKES_OF_ONE = f"""
WITH spending AS (
    SELECT organization_id, currency_code, create_time, amount_micros FROM entries
    WHERE type IN ('DEBIT', 'CAPTURE') AND sequence > $1 AND sequence <= $2
      AND organization_id = $8
)
{SPIKES}
"""  # noqa: S608 - our own words


async def list_spikes(
    connection: Connection, organization_id: str, span: Span, since: datetime
) -> list[SpentDay]:
    """Return the days since then on which far more was spent than before; the span tells both."""
    rule = (USUAL_DAYS, since, SPIKE_MICROS_MIN, SPIKE_FACTOR, ANOMALIES_MAX)
    if organization_id:
        after = await find_last_until(connection, organization_id, span.start_time - MICROSECOND)
        until = await find_last_until(connection, organization_id, span.end_time - MICROSECOND)
        rows = await connection.fetch(LIST_SPIKES_OF_ONE, after, until, *rule, organization_id)
    else:
        rows = await connection.fetch(LIST_SPIKES, span.start_time, span.end_time, *rule)
    return [
        SpentDay(
            row["organization_id"],
            row["currency_code"],
            row["day"],
            row["last_time"],
            int(row["spent_micros"]),
            int(row["spent_before_micros"]),
        )
        for row in rows
    ]
