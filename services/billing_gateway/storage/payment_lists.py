"""Payments as callers see them: found by any object, and with the top-ups that nobody paid yet."""

from dataclasses import dataclass
from operator import attrgetter

from libs.database import Connection, Record
from services.billing_gateway.domain.values import (
    Payment,
    PaymentFilter,
    PaymentState,
    Place,
    Provider,
)
from services.billing_gateway.storage.payments import to_payment


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """A payment, the objects that belong to it, and the command that it comes from."""

    payment: Payment
    object_ids: tuple[str, ...] = ()
    checkout_reference_id: str = ""

    @property
    def place(self) -> Place:
        """Return where it stands in a list."""
        payment = self.payment
        return Place(payment.create_time, payment.provider, payment.payment_id)


# A provider's checkout is an object of the payment, or it names the one that it was paid by.
SEEN = """
SELECT payments.*, of_payment.object_ids, coalesce(checkouts.reference_id, '') AS reference_id
FROM payments
CROSS JOIN LATERAL (
    SELECT array_agg(object_id ORDER BY name_rank, object_id) AS object_ids
    FROM payment_objects
    WHERE provider = payments.provider AND payment_id = payments.payment_id
) AS of_payment
LEFT JOIN LATERAL (
    SELECT reference_id FROM checkouts
    WHERE provider = payments.provider AND kind = 'TOP_UP'
      AND (checkout_id = ANY (object_ids) OR payment_object_id = ANY (object_ids))
    LIMIT 1
) AS checkouts ON true
{which}
"""

FIND = SEEN.format(
    which="""
WHERE payments.provider = $1 AND payments.payment_id = (
    SELECT payment_id FROM payment_objects
    WHERE provider = $1 AND object_id = coalesce(
        (
            SELECT payment_object_id FROM checkouts
            WHERE provider = $1 AND checkout_id = $2 AND payment_object_id <> ''
        ),
        $2
    )
)
"""
)

# What a top-up's own payment is, until there is one.
UNPAID = """
SELECT * FROM (
    SELECT *, lower(provider) || ':' || checkout_id AS payment_id,
        CASE state WHEN 'FAILED' THEN 'FAILED' ELSE 'PENDING' END AS payment_state
    FROM checkouts
    WHERE kind = 'TOP_UP' AND checkout_id <> '' AND NOT EXISTS (
        SELECT FROM payment_objects
        WHERE provider = checkouts.provider
          AND object_id IN (checkouts.checkout_id, checkouts.payment_object_id)
    )
) AS top_ups
{which}
"""

FIND_UNPAID = UNPAID.format(which="WHERE provider = $1 AND checkout_id = $2")


async def find(connection: Connection, provider: Provider, object_id: str) -> ListedPayment | None:
    """Return the payment that an object belongs to."""
    if row := await connection.fetchrow(FIND, provider, object_id):
        return _to_listed(row)
    unpaid = await connection.fetchrow(FIND_UNPAID, provider, object_id)
    return _to_unpaid(unpaid) if unpaid else None


LIST = SEEN.format(
    which="""
WHERE ($1::text = '' OR payments.organization_id = $1)
  AND ($2::text IS NULL OR payments.provider = $2)
  AND ($3::text IS NULL OR payments.state = $3)
  AND ($4::text = '' OR (payments.provider, payments.payment_id) IN (
      SELECT provider, payment_id FROM payment_objects WHERE object_id = $4
      UNION ALL
      SELECT provider, payment_id FROM payment_objects WHERE (provider, object_id) IN (
          SELECT provider, payment_object_id FROM checkouts WHERE checkout_id = $4
      )
  ))
  AND ($5::timestamptz IS NULL OR (payments.create_time, payments.provider, payments.payment_id)
      < ($5, $6, $7))
ORDER BY payments.create_time DESC, payments.provider DESC, payments.payment_id DESC
LIMIT $8
"""
)

LIST_UNPAID = UNPAID.format(
    which="""
WHERE ($1::text = '' OR organization_id = $1)
  AND ($2::text IS NULL OR provider = $2)
  AND ($3::text IS NULL OR payment_state = $3)
  AND ($4::text = '' OR $4 IN (checkout_id, payment_object_id))
  AND ($5::timestamptz IS NULL OR (create_time, provider, payment_id) < ($5, $6, $7))
ORDER BY create_time DESC, provider DESC, payment_id DESC
LIMIT $8
"""
)


async def list_payments(
    connection: Connection, wanted: PaymentFilter, before: Place, limit: int
) -> list[ListedPayment]:
    """Return payments, newest first, before the given one."""
    arguments = (
        wanted.organization_id,
        wanted.provider,
        wanted.state,
        wanted.object_id,
        before.time,
        before.provider,
        before.object_id,
        limit,
    )
    found = [_to_listed(row) for row in await connection.fetch(LIST, *arguments)]
    found += [_to_unpaid(row) for row in await connection.fetch(LIST_UNPAID, *arguments)]
    return sorted(found, key=attrgetter("place"), reverse=True)[:limit]


def _to_listed(row: Record) -> ListedPayment:
    return ListedPayment(to_payment(row), tuple(row["object_ids"]), row["reference_id"])


def _to_unpaid(row: Record) -> ListedPayment:
    payment = Payment(
        provider=Provider(row["provider"]),
        payment_id=row["payment_id"],
        organization_id=row["organization_id"],
        currency_code=row["currency_code"],
        state=PaymentState(row["payment_state"]),
        create_time=row["create_time"],
    )
    objects = (row["checkout_id"], row["payment_object_id"])
    return ListedPayment(payment, tuple(each for each in objects if each), row["reference_id"])
