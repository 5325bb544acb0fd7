"""Which of a provider's objects belong to which flow of money."""

from collections.abc import Collection
from dataclasses import dataclass

from libs.database import Connection
from services.billing_gateway.domain.values import PaymentObject, Provider


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object and the payment that it belongs to."""

    payment_id: str
    object: PaymentObject


LIST_PAYMENT_IDS = """
SELECT DISTINCT payment_id FROM payment_objects
WHERE provider = $1 AND object_id = ANY ($2::text[])
"""


async def list_payment_ids(
    connection: Connection, provider: Provider, object_ids: Collection[str]
) -> list[str]:
    """Return the payments that any of these objects belong to."""
    rows = await connection.fetch(LIST_PAYMENT_IDS, provider, list(object_ids))
    return [row["payment_id"] for row in rows]


LIST = """
SELECT * FROM payment_objects
WHERE provider = $1 AND (object_id = ANY ($2::text[]) OR payment_id = ANY ($3::text[]))
"""


async def list_of(
    connection: Connection,
    provider: Provider,
    object_ids: Collection[str],
    payment_ids: Collection[str],
) -> list[StoredObject]:
    """Return these objects and all of these payments."""
    rows = await connection.fetch(LIST, provider, list(object_ids), list(payment_ids))
    return [
        StoredObject(row["payment_id"], PaymentObject(row["object_id"], row["name_rank"]))
        for row in rows
    ]


SAVE = """
INSERT INTO payment_objects (provider, payment_id, object_id, name_rank)
SELECT $1, $2, object_id, name_rank
FROM unnest($3::text[], $4::smallint[]) AS told (object_id, name_rank)
ON CONFLICT (provider, object_id) DO UPDATE SET name_rank = EXCLUDED.name_rank
"""


async def save(
    connection: Connection,
    provider: Provider,
    payment_id: str,
    objects: Collection[PaymentObject],
) -> None:
    """Write objects of a payment that is locked, as are they."""
    await connection.execute(
        SAVE,
        provider,
        payment_id,
        [each.object_id for each in objects],
        [each.name_rank for each in objects],
    )
