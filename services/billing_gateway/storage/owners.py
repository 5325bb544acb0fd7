"""Whose a provider's subscriptions, customers and checkouts are, as far as we know."""

from collections.abc import Sequence

from libs.database import Connection
from services.billing_gateway.domain.ownership import Named, Owners
from services.billing_gateway.domain.values import Provider

LIST = """
SELECT
    (
        SELECT organization_id FROM checkouts
        WHERE provider = $1 AND checkout_id = named.checkout_id AND checkout_id <> ''
    ) AS of_checkout,
    (
        SELECT organization_id FROM subscriptions
        WHERE provider = $1 AND subscription_id = named.subscription_id
    ) AS of_subscription,
    ARRAY(
        SELECT DISTINCT organization_id FROM subscriptions
        WHERE provider = $1 AND linked_customer_id = named.customer_id AND linked_customer_id <> ''
    ) AS of_linked_customer,
    ARRAY(
        SELECT DISTINCT organization_id FROM subscriptions
        WHERE provider = $1 AND learnt_customer_id = named.customer_id AND learnt_customer_id <> ''
    ) AS of_learnt_customer
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY
    AS named (subscription_id, customer_id, checkout_id, position)
ORDER BY position
"""


async def list_owners(
    connection: Connection, provider: Provider, named: Sequence[Named]
) -> list[Owners]:
    """Return who is known to own what each of them names, in one round trip."""
    rows = await connection.fetch(
        LIST,
        provider,
        [each.subscription_id for each in named],
        [each.customer_id for each in named],
        [each.checkout_id for each in named],
    )
    return [
        Owners(
            of_checkout=row["of_checkout"],
            of_subscription=row["of_subscription"],
            of_linked_customer=frozenset(row["of_linked_customer"]),
            of_learnt_customer=frozenset(row["of_learnt_customer"]),
        )
        for row in rows
    ]
