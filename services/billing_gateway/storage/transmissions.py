"""Which body a provider's transmission stands for, until that cannot be asked any more."""

from libs.database import Connection

# A day more, since not every clock is right.
FORGET = """
DELETE FROM transmissions WHERE (provider, transmission_id) IN (
    SELECT provider, transmission_id FROM transmissions
    WHERE counts_until < now() - interval '1 day'
    ORDER BY counts_until
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
"""


async def forget(connection: Connection, limit: int) -> int:
    """Delete transmissions that their provider's signature does not vouch for any more."""
    tag = await connection.execute(FORGET, limit)
    return int(tag.rpartition(" ")[2])
