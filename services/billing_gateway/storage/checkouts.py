"""Checkouts: what callers want made at a provider, what came of it, and when to ask about it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.database import Connection, Record
from libs.text import storable_text
from services.billing_gateway.domain.values import (
    Checkout,
    CheckoutContent,
    CheckoutKind,
    CheckoutState,
    Provider,
)
from services.billing_gateway.ports import OpenCheckout

ERROR_LENGTH_MAX = 500

INSERT = """
INSERT INTO checkouts (
    organization_id, reference_id, intent_id, kind, provider, amount_micros, currency_code, plan_id,
    return_url, cancel_url, state, checkout_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING
"""


async def insert(connection: Connection, checkout: Checkout) -> bool:
    """Write a checkout of an organization that is there; answer whether its reference was free."""
    tag = await connection.execute(
        INSERT,
        *_wish_columns(checkout),
        checkout.state,
        checkout.checkout_id,
    )
    return tag == "INSERT 0 1"


LOCK = "SELECT * FROM checkouts WHERE organization_id = $1 AND reference_id = $2 FOR UPDATE"


async def lock(connection: Connection, organization_id: str, reference_id: str) -> Checkout:
    """Return a checkout that is there, and lock it."""
    [row] = await connection.fetch(LOCK, organization_id, reference_id)
    return _to_checkout(row)


LOCK_OF_PROVIDER = """
SELECT * FROM checkouts WHERE provider = $1 AND checkout_id = $2 AND checkout_id <> '' FOR UPDATE
"""


async def lock_of_provider(
    connection: Connection, provider: Provider, checkout_id: str
) -> Checkout | None:
    """Return the checkout of ours with this id at its provider, and lock it."""
    row = await connection.fetchrow(LOCK_OF_PROVIDER, provider, checkout_id)
    return _to_checkout(row) if row else None


WISH_AGAIN = """
UPDATE checkouts
SET intent_id = $3, kind = $4, provider = $5, amount_micros = $6, currency_code = $7, plan_id = $8,
    return_url = $9, cancel_url = $10, state = 'WANTED', last_error = '', update_time = now()
WHERE organization_id = $1 AND reference_id = $2
"""


async def wish_again(connection: Connection, checkout: Checkout) -> None:
    """Let a reference whose wish was refused stand for another one."""
    await connection.execute(WISH_AGAIN, *_wish_columns(checkout))


SAVE_ANSWER = """
UPDATE checkouts
SET state = 'OPEN', checkout_id = $2, url = $3, subscription_id = $4,
    errand_due_time = now() + $5::interval, update_time = now()
WHERE intent_id = $1 AND state = 'WANTED'
"""


async def save_answer(
    connection: Connection, intent_id: str, made: OpenCheckout, look_in: timedelta
) -> None:
    """Write down what the provider made, unless somebody has; let it be looked at in time."""
    await connection.execute(
        SAVE_ANSWER, intent_id, made.checkout_id, made.url, made.subscription_id, look_in
    )


OPEN_OF_INTENT = """
UPDATE checkouts SET state = 'OPEN', checkout_id = $4, errand_due_time = now(), update_time = now()
WHERE provider = $1 AND organization_id = $2 AND intent_id = $3 AND state = 'WANTED'
RETURNING *
"""


async def open_of_intent(
    connection: Connection,
    provider: Provider,
    organization_id: str,
    intent_id: str,
    checkout_id: str,
) -> Checkout | None:
    """Note what the provider made for a wish whose answer was lost; None without such a wish."""
    row = await connection.fetchrow(
        OPEN_OF_INTENT, provider, organization_id, intent_id, checkout_id
    )
    return _to_checkout(row) if row else None


REFUSE = """
UPDATE checkouts SET state = 'REFUSED', last_error = $2, update_time = now()
WHERE intent_id = $1 AND state = 'WANTED'
"""


async def refuse(connection: Connection, intent_id: str, error: str) -> None:
    """Write down that the provider made nothing."""
    await connection.execute(REFUSE, intent_id, storable_text(error, ERROR_LENGTH_MAX))


SAVE_PROGRESS = """
UPDATE checkouts
SET state = $3, payment_object_id = $4, subscription_id = $5, update_time = now(),
    errand_due_time = CASE
        WHEN $6::boolean THEN now()
        WHEN $7::boolean THEN NULL
        ELSE errand_due_time END
WHERE organization_id = $1 AND reference_id = $2
"""


async def save_progress(
    connection: Connection, checkout: Checkout, *, is_due: bool, is_finished: bool
) -> None:
    """Write how far a checkout that is locked has come; due now, never again, or as it was."""
    await connection.execute(
        SAVE_PROGRESS,
        checkout.organization_id,
        checkout.reference_id,
        checkout.state,
        checkout.payment_object_id,
        checkout.subscription_id,
        is_due,
        is_finished,
    )


# A new key for the next capture: the one of the declined capture would be answered the same again.
REOPEN = """
UPDATE checkouts SET state = 'OPEN', capture_number = capture_number + 1, update_time = now()
WHERE organization_id = $1 AND reference_id = $2 AND state = 'APPROVED' AND capture_number = $3
"""


async def reopen(connection: Connection, checkout: Checkout) -> None:
    """Let a checkout whose capture was declined be approved again."""
    await connection.execute(
        REOPEN, checkout.organization_id, checkout.reference_id, checkout.capture_number
    )


# The claim is a lease: who dies with it gives it back by its end.
CLAIM_DUE = """
UPDATE checkouts
SET errand_due_time = now() + make_interval(secs => $2),
    errand_attempt_count = errand_attempt_count + 1
WHERE (organization_id, reference_id) IN (
    SELECT organization_id, reference_id FROM checkouts
    WHERE errand_due_time <= now() AND provider = ANY ($1::text[])
    ORDER BY errand_due_time
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING *, now() - create_time AS age
"""


@dataclass(frozen=True, slots=True)
class DueCheckout:
    """A checkout that its provider is to be asked about, by whoever claimed it."""

    checkout: Checkout
    age: timedelta
    attempt_count: int
    # Tells the claim from what makes it due again meanwhile.
    lease_end_time: datetime


async def claim_due(
    connection: Connection, providers: Collection[Provider], lease_seconds: float, limit: int
) -> list[DueCheckout]:
    """Take checkouts that are due, for as long as the lease lasts."""
    rows = await connection.fetch(CLAIM_DUE, list(providers), lease_seconds, limit)
    return [
        DueCheckout(
            _to_checkout(row), row["age"], row["errand_attempt_count"], row["errand_due_time"]
        )
        for row in rows
    ]


SCHEDULE = """
UPDATE checkouts
SET errand_due_time = now() + $4::interval, errand_attempt_count = $5, last_error = $6,
    update_time = now()
WHERE organization_id = $1 AND reference_id = $2 AND errand_due_time = $3
"""


async def schedule(
    connection: Connection,
    due: DueCheckout,
    wait: timedelta | None,
    *,
    attempt_count: int = 0,
    error: str = "",
) -> None:
    """Give a claimed checkout back, due again after a while or never; unless it is due by now."""
    await connection.execute(
        SCHEDULE,
        due.checkout.organization_id,
        due.checkout.reference_id,
        due.lease_end_time,
        wait,
        attempt_count,
        storable_text(error, ERROR_LENGTH_MAX),
    )


def _wish_columns(checkout: Checkout) -> tuple[object, ...]:
    content = checkout.content
    return (
        checkout.organization_id,
        checkout.reference_id,
        checkout.intent_id,
        content.kind,
        content.provider,
        content.amount_micros,
        content.currency_code,
        content.plan_id,
        content.return_url,
        content.cancel_url,
    )


def _to_checkout(row: Record) -> Checkout:
    return Checkout(
        organization_id=row["organization_id"],
        reference_id=row["reference_id"],
        intent_id=row["intent_id"],
        content=CheckoutContent(
            kind=CheckoutKind(row["kind"]),
            provider=Provider(row["provider"]),
            amount_micros=row["amount_micros"],
            currency_code=row["currency_code"],
            plan_id=row["plan_id"],
            return_url=row["return_url"],
            cancel_url=row["cancel_url"],
        ),
        state=CheckoutState(row["state"]),
        checkout_id=row["checkout_id"],
        url=row["url"],
        payment_object_id=row["payment_object_id"],
        subscription_id=row["subscription_id"],
        capture_number=row["capture_number"],
        last_error=row["last_error"],
        create_time=row["create_time"],
    )
