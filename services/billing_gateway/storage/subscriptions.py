"""Subscriptions: the links between providers and organizations, and what was said last."""

from libs.database import Connection, Record
from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Provider, ProviderUpdate, Subscription

FIND = "SELECT * FROM subscriptions WHERE provider = $1 AND subscription_id = $2"


async def find(
    connection: Connection, provider: Provider, subscription_id: str
) -> Subscription | None:
    """Return a provider's subscription."""
    row = await connection.fetchrow(FIND, provider, subscription_id)
    return _to_subscription(row) if row else None


LIST_OF_ORGANIZATION = """
SELECT * FROM subscriptions WHERE organization_id = $1 ORDER BY provider, subscription_id
"""


async def list_of_organization(connection: Connection, organization_id: str) -> list[Subscription]:
    """Return an organization's subscriptions."""
    rows = await connection.fetch(LIST_OF_ORGANIZATION, organization_id)
    return [_to_subscription(row) for row in rows]


LIST_OWNERS_OF_LINKED_CUSTOMER = """
SELECT DISTINCT organization_id FROM subscriptions
WHERE provider = $1 AND linked_customer_id = $2 AND linked_customer_id <> ''
"""


async def list_owners_of_linked_customer(
    connection: Connection, provider: Provider, customer_id: str
) -> frozenset[str]:
    """Return the organizations to which a caller linked this customer."""
    rows = await connection.fetch(LIST_OWNERS_OF_LINKED_CUSTOMER, provider, customer_id)
    return frozenset(row["organization_id"] for row in rows)


LIST_OWNERS_OF_LEARNT_CUSTOMER = """
SELECT DISTINCT organization_id FROM subscriptions
WHERE provider = $1 AND learnt_customer_id = $2 AND learnt_customer_id <> ''
"""


async def list_owners_of_learnt_customer(
    connection: Connection, provider: Provider, customer_id: str
) -> frozenset[str]:
    """Return the organizations whose subscriptions were told to be this customer's."""
    rows = await connection.fetch(LIST_OWNERS_OF_LEARNT_CUSTOMER, provider, customer_id)
    return frozenset(row["organization_id"] for row in rows)


SAVE = """
INSERT INTO subscriptions (
    provider, subscription_id, organization_id, linked_customer_id, linked_plan_id,
    learnt_customer_id, state, plan_id, current_period_end_time, provider_time, rank, event_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (provider, subscription_id) DO UPDATE
SET linked_customer_id = EXCLUDED.linked_customer_id, linked_plan_id = EXCLUDED.linked_plan_id,
    learnt_customer_id = EXCLUDED.learnt_customer_id, state = EXCLUDED.state,
    plan_id = EXCLUDED.plan_id, current_period_end_time = EXCLUDED.current_period_end_time,
    provider_time = EXCLUDED.provider_time, rank = EXCLUDED.rank, event_id = EXCLUDED.event_id,
    update_time = now()
"""


async def save(connection: Connection, subscription: Subscription) -> None:
    """Write a subscription of an organization that is locked. Its owner never changes."""
    update = subscription.update
    await connection.execute(
        SAVE,
        subscription.provider,
        subscription.subscription_id,
        subscription.organization_id,
        subscription.linked_customer_id,
        subscription.linked_plan_id,
        subscription.learnt_customer_id,
        update.state if update else None,
        update.plan_id if update else None,
        update.current_period_end_time if update else None,
        update.provider_time if update else None,
        update.rank if update else None,
        update.event_id if update else None,
    )


def _to_subscription(row: Record) -> Subscription:
    return Subscription(
        organization_id=row["organization_id"],
        provider=Provider(row["provider"]),
        subscription_id=row["subscription_id"],
        linked_customer_id=row["linked_customer_id"],
        linked_plan_id=row["linked_plan_id"],
        learnt_customer_id=row["learnt_customer_id"],
        update=_to_update(row) if row["state"] else None,
        update_time=row["update_time"],
    )


def _to_update(row: Record) -> ProviderUpdate:
    return ProviderUpdate(
        state=SubscriptionState(row["state"]),
        plan_id=row["plan_id"],
        current_period_end_time=row["current_period_end_time"],
        provider_time=row["provider_time"],
        rank=row["rank"],
        event_id=row["event_id"],
    )
