"""Which body a provider's transmission stands for."""

from collections.abc import Sequence

from libs.database import Connection
from services.billing_gateway.ports import Transmission
from services.billing_gateway.storage.inbox import Delivery

# The update changes nothing. It waits for who inserts the same id, and returns what is kept then.
BIND = """
INSERT INTO transmissions AS known (provider, transmission_id, body_sha256, counts_until)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[])
    AS told (provider, transmission_id, body_sha256, counts_until)
ORDER BY provider, transmission_id
ON CONFLICT (provider, transmission_id) DO UPDATE SET counts_until = known.counts_until
RETURNING provider, transmission_id, body_sha256
"""


async def bind(connection: Connection, deliveries: Sequence[Delivery]) -> list[bool]:
    """Let each transmission stand for the first body under its id; answer who has that body."""
    told: dict[tuple[str, str], Transmission] = {}
    for each in deliveries:
        if each.transmission is not None:
            told.setdefault((each.provider, each.transmission.transmission_id), each.transmission)
    rows = await connection.fetch(
        BIND,
        [provider for provider, _ in told],
        [transmission_id for _, transmission_id in told],
        [each.body_sha256 for each in told.values()],
        [each.counts_until for each in told.values()],
    )
    bound = {(row["provider"], row["transmission_id"]): row["body_sha256"] for row in rows}
    return [
        each.transmission is None
        or bound[each.provider, each.transmission.transmission_id] == each.transmission.body_sha256
        for each in deliveries
    ]


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
