"""A lock for each of a provider's objects, whether there is a row of it or not.

Whoever asks or says whose an object is, holds its lock first and the organization's row after it;
so the two never overtake each other.
"""

from collections.abc import Iterable

from libs.database import Connection
from services.billing_gateway.domain.values import Provider

LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended(object, 0))
FROM (SELECT object FROM unnest($1::text[]) AS object ORDER BY object) AS objects
"""


async def lock(connection: Connection, provider: Provider, object_ids: Iterable[str]) -> None:
    """Lock objects until the transaction ends, in a fixed order."""
    await connection.execute(LOCK, _names(provider, object_ids))


TRY_LOCK = """
SELECT bool_and(pg_try_advisory_xact_lock(hashtextextended(object, 0)))
FROM unnest($1::text[]) AS object
"""


async def try_lock(connection: Connection, provider: Provider, object_ids: Iterable[str]) -> bool:
    """Lock objects without waiting; answer whether all of them are."""
    names = _names(provider, object_ids)
    return not names or bool(await connection.fetchval(TRY_LOCK, names))


def _names(provider: Provider, object_ids: Iterable[str]) -> list[str]:
    return sorted(f"{provider} {each}" for each in set(object_ids) if each)
