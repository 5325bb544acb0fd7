"""The certificates that a provider signed with lately, as they were served."""

from libs.database import Connection

KEPT_MAX = 8

KEEP = """
INSERT INTO signing_certificates (url, pem) VALUES ($1, $2)
ON CONFLICT (url) DO UPDATE SET pem = excluded.pem, learn_time = excluded.learn_time
"""

DROP_OLDEST = """
DELETE FROM signing_certificates WHERE url NOT IN (
    SELECT url FROM signing_certificates ORDER BY learn_time DESC LIMIT $1
)
"""


async def keep(connection: Connection, url: str, pem: bytes) -> None:
    """Keep a certificate, and not too many others."""
    await connection.execute(KEEP, url, pem)
    await connection.execute(DROP_OLDEST, KEPT_MAX)


LIST_KEPT = "SELECT url, pem FROM signing_certificates ORDER BY learn_time DESC LIMIT $1"


async def list_kept(connection: Connection) -> dict[str, bytes]:
    """Return what is kept, by address."""
    rows = await connection.fetch(LIST_KEPT, KEPT_MAX)
    return {row["url"]: row["pem"] for row in rows}
