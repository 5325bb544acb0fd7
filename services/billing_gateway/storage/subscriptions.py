"""Subscriptions: the links between providers and organizations, and how they stand."""

from datetime import datetime, timedelta

from libs.database import Connection, Record
from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Place, Provider, Subscription, SubscriptionFilter

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


# A cancel that the gateway itself has to send moves with the period, unless it is due already.
SAVE = """
INSERT INTO subscriptions (
    provider, subscription_id, organization_id, linked_customer_id, linked_plan_id,
    learnt_customer_id, state, plan_id, current_period_end_time, cancel_at_period_end,
    provider_time, past_due_time, grace_end_time, look_due_time, heard_time
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    CASE WHEN $15::boolean THEN now() END
)
ON CONFLICT (provider, subscription_id) DO UPDATE
SET linked_customer_id = EXCLUDED.linked_customer_id, linked_plan_id = EXCLUDED.linked_plan_id,
    learnt_customer_id = EXCLUDED.learnt_customer_id, state = EXCLUDED.state,
    plan_id = EXCLUDED.plan_id, current_period_end_time = EXCLUDED.current_period_end_time,
    cancel_at_period_end = EXCLUDED.cancel_at_period_end, provider_time = EXCLUDED.provider_time,
    past_due_time = EXCLUDED.past_due_time, grace_end_time = EXCLUDED.grace_end_time,
    look_due_time = CASE WHEN EXCLUDED.state IS DISTINCT FROM 'CANCELED'
        THEN least(subscriptions.look_due_time, EXCLUDED.look_due_time) END,
    heard_time = coalesce(EXCLUDED.heard_time, subscriptions.heard_time),
    cancel_due_time = CASE
        WHEN EXCLUDED.state = 'CANCELED' THEN NULL
        WHEN subscriptions.cancel_due_time > now()
            AND EXCLUDED.current_period_end_time <> subscriptions.current_period_end_time
        THEN subscriptions.cancel_due_time
            + (EXCLUDED.current_period_end_time - subscriptions.current_period_end_time)
        ELSE subscriptions.cancel_due_time END,
    update_time = now()
"""


async def save(
    connection: Connection,
    subscription: Subscription,
    look_due_time: datetime | None,
    *,
    is_heard: bool,
) -> None:
    """Write a subscription of an organization that is locked. Its owner never changes.

    A look that is due sooner stays due; of what has ended nothing is due.
    """
    await connection.execute(
        SAVE,
        subscription.provider,
        subscription.subscription_id,
        subscription.organization_id,
        subscription.linked_customer_id,
        subscription.linked_plan_id,
        subscription.learnt_customer_id,
        subscription.state if subscription.provider_time else None,
        subscription.told_plan_id,
        subscription.current_period_end_time,
        subscription.cancel_at_period_end,
        subscription.provider_time,
        subscription.past_due_time,
        subscription.grace_end_time,
        look_due_time,
        is_heard,
    )


REQUEST_LOOK = """
UPDATE subscriptions SET look_due_time = least(look_due_time, $3)
WHERE provider = $1 AND subscription_id = $2 AND state IS DISTINCT FROM 'CANCELED'
"""


async def request_look(
    connection: Connection, provider: Provider, subscription_id: str, due_time: datetime
) -> None:
    """Let the provider be asked about a subscription by then, if not sooner."""
    await connection.execute(REQUEST_LOOK, provider, subscription_id, due_time)


CANCEL_AT = """
UPDATE subscriptions SET cancel_due_time = $3, cancel_actor = $4, cancel_note = $5
WHERE provider = $1 AND subscription_id = $2
"""


async def cancel_at(
    connection: Connection, subscription: Subscription, due_time: datetime, actor: str, note: str
) -> None:
    """Let the gateway itself end a subscription of an organization that is locked."""
    await connection.execute(
        CANCEL_AT, subscription.provider, subscription.subscription_id, due_time, actor, note
    )


# Good standing as the domain sees it: the paid period with its slack, or the grace.
LIST = """
SELECT * FROM (
    SELECT *, coalesce($6::timestamptz < CASE
        WHEN state IN ('TRIALING', 'ACTIVE') THEN current_period_end_time + $5::interval
        WHEN state = 'PAST_DUE' THEN grace_end_time END, false) AS good_standing
    FROM subscriptions
) AS subscriptions
WHERE ($1::text = '' OR organization_id = $1)
  AND ($2::text IS NULL OR provider = $2)
  AND ($3::text IS NULL OR coalesce(state, 'PENDING') = $3)
  AND ($4::boolean IS NULL OR good_standing = $4)
  AND ($7::timestamptz IS NULL OR (create_time, provider, subscription_id) < ($7, $8, $9))
ORDER BY create_time DESC, provider DESC, subscription_id DESC
LIMIT $10
"""


async def list_subscriptions(
    connection: Connection,
    wanted: SubscriptionFilter,
    before: Place,
    limit: int,
    *,
    slack: timedelta,
    now: datetime,
) -> list[Subscription]:
    """Return subscriptions, newest first, before the given one; in good standing now, or not."""
    rows = await connection.fetch(
        LIST,
        wanted.organization_id,
        wanted.provider,
        wanted.state,
        wanted.good_standing,
        slack,
        now,
        before.time,
        before.provider,
        before.object_id,
        limit,
    )
    return [_to_subscription(row) for row in rows]


def _to_subscription(row: Record) -> Subscription:
    return Subscription(
        organization_id=row["organization_id"],
        provider=Provider(row["provider"]),
        subscription_id=row["subscription_id"],
        linked_customer_id=row["linked_customer_id"],
        linked_plan_id=row["linked_plan_id"],
        learnt_customer_id=row["learnt_customer_id"],
        told_plan_id=row["plan_id"] or "",
        state=SubscriptionState(row["state"] or SubscriptionState.PENDING),
        provider_time=row["provider_time"],
        current_period_end_time=row["current_period_end_time"],
        cancel_at_period_end=row["cancel_at_period_end"],
        past_due_time=row["past_due_time"],
        grace_end_time=row["grace_end_time"],
        cancel_due_time=row["cancel_due_time"],
        look_error=row["look_error"],
        heard_time=row["heard_time"],
        create_time=row["create_time"],
        update_time=row["update_time"],
    )
