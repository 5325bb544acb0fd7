"""The level of each payment as far as it has been applied."""

from collections.abc import Iterable, Mapping

from libs.database import Connection, Record
from services.wallet.domain.values import Payment
from services.wallet.storage.keys import Key, columns_of

FIND_PAYMENTS_OF_ONE = """
SELECT * FROM payments WHERE organization_id = $1 AND payment_id = ANY($2)
"""

FIND_PAYMENTS = """
SELECT payments.*
FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, payment_id)
JOIN payments
  ON payments.organization_id = wanted.organization_id
 AND payments.payment_id = wanted.payment_id
"""


async def find_payments(connection: Connection, keys: Iterable[Key]) -> dict[Key, Payment]:
    """Return what has been applied of these payments."""
    organization_ids, payment_ids = columns_of(keys)
    if len(set(organization_ids)) == 1:
        rows = await connection.fetch(FIND_PAYMENTS_OF_ONE, organization_ids[0], payment_ids)
    else:
        rows = await connection.fetch(FIND_PAYMENTS, organization_ids, payment_ids)
    return {(row["organization_id"], row["payment_id"]): _to_payment(row) for row in rows}


LIST_PAYMENTS = "SELECT * FROM payments WHERE organization_id = $1"


async def list_payments(connection: Connection, organization_id: str) -> dict[str, Payment]:
    """Return all that has been applied of an organization's payments, by their ids."""
    rows = await connection.fetch(LIST_PAYMENTS, organization_id)
    return {row["payment_id"]: _to_payment(row) for row in rows}


SAVE_PAYMENT = """
INSERT INTO payments (
    organization_id, payment_id, revision, credited_micros, reversed_micros, at_risk_micros,
    blocks_spending
)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (organization_id, payment_id) DO UPDATE
SET revision = EXCLUDED.revision, credited_micros = EXCLUDED.credited_micros,
    reversed_micros = EXCLUDED.reversed_micros, at_risk_micros = EXCLUDED.at_risk_micros,
    blocks_spending = EXCLUDED.blocks_spending
"""


async def save_payments(connection: Connection, payments: Mapping[Key, Payment]) -> None:
    """Write the levels of payments."""
    await connection.executemany(
        SAVE_PAYMENT,
        [
            (
                organization_id,
                payment.payment_id,
                payment.revision,
                payment.credited_micros,
                payment.reversed_micros,
                payment.at_risk_micros,
                payment.blocks_spending,
            )
            for (organization_id, _), payment in payments.items()
        ],
    )


def _to_payment(row: Record) -> Payment:
    return Payment(
        row["payment_id"],
        row["revision"],
        row["credited_micros"],
        row["reversed_micros"],
        row["at_risk_micros"],
        row["blocks_spending"],
    )
