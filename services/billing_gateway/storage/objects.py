"""A lock for each of a provider's objects, whether there is a row of it or not."""

from collections.abc import Iterable

from libs.database import Connection
from services.billing_gateway.domain.values import Provider

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


async def lock(connection: Connection, provider: Provider, object_ids: Iterable[str]) -> None:
    """Lock objects until the transaction ends, in a fixed order and before the organization.

    So finding out whose an object is, and saying whose it is, never overtake each other.
    """
    for object_id in sorted(set(object_ids) - {""}):
        await connection.execute(LOCK, f"{provider} {object_id}")
