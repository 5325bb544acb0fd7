"""What was credited, held against what was told and against the wallets."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.subscriptions_told import query
from tests.support.credits_told import (
    Delivery,
    Success,
    success_of,
)
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tollgate.wallet.v1.wallet_service_ledger_pb2 import VerifyLedgerRequest

PAYMENTS = """
SELECT provider, payment_id, payment.organization_id, currency_code, credited_micros,
    reversed_micros, announcement.acknowledged_revision > 0 AS is_taken,
    ARRAY(
        SELECT object_id FROM payment_objects AS object
        WHERE (object.provider, object.payment_id) = (payment.provider, payment.payment_id)
    ) AS object_ids
FROM payments AS payment
JOIN announcements AS announcement ON level = 'payment' AND key = payment_id
WHERE credited_micros IS NOT NULL AND payment.organization_id = ANY ($1)
"""
DONE = """
SELECT provider, event_id, body FROM webhook_events
WHERE state = 'DONE' AND organization_id = ANY ($1)
"""
ENTRIES = """
SELECT payment_id, amount_micros FROM entries WHERE organization_id = $1 AND type = 'PAYMENT'
"""


async def wrong_credits(
    stack: Stack, delivered: Iterable[Delivery], organization_ids: Collection[str]
) -> list[Any]:
    """Return credits that nobody told of, and payments that were heard of and not credited."""
    rows = await query(stack, PAYMENTS, list(organization_ids))
    told = set(_told(delivered))
    untold = [dict(row) for row in rows if told.isdisjoint(_credits(row))]
    credited = {(credit.provider, credit.success) for row in rows for credit in _credits(row)}
    lost = [
        (event["event_id"], success)
        for event in await query(stack, DONE, list(organization_ids))
        if (success := success_of(Provider(event["provider"]), event["body"])) is not None
        and (event["provider"], success) not in credited
    ]
    return [*untold, *lost]


@dataclass(frozen=True)
class Credit:
    """That an organization was given what a payment's success is worth."""

    organization_id: str
    provider: str
    success: Success


def _told(delivered: Iterable[Delivery]) -> Iterator[Credit]:
    for each in delivered:
        success = success_of(each.provider, each.body)
        if success is not None:
            for organization_id in each.organization_ids:
                yield Credit(organization_id, each.provider, success)


def _credits(row: asyncpg.Record) -> Iterator[Credit]:
    """Any object of the payment may be the one that was told of."""
    for object_id in row["object_ids"]:
        success = Success(object_id, row["credited_micros"], row["currency_code"])
        yield Credit(row["organization_id"], row["provider"], success)


async def wrong_wallets(stack: Stack, organization_ids: Collection[str]) -> list[str]:
    """Return the organizations whose wallets have not what their payments give them."""
    return [each for each in sorted(organization_ids) if not await _is_right(stack, each)]


async def _is_right(stack: Stack, organization_id: str) -> bool:
    """Each payment in the wallet's currency was entered once; what is left of it all is there."""
    wallet = await wallet_of(stack, organization_id)
    rows = [
        row
        for row in await query(stack, PAYMENTS, [organization_id])
        if row["is_taken"] and row["currency_code"] == wallet.currency_code
    ]
    given = sorted((row["payment_id"], row["credited_micros"]) for row in rows)
    left = sum(row["credited_micros"] - row["reversed_micros"] for row in rows)
    return (
        wallet.balance_micros - wallet.owed_micros == left
        and await _entered(stack, organization_id) == given
        and await _verifies(stack, organization_id)
    )


async def _entered(stack: Stack, organization_id: str) -> list[tuple[str, int]]:
    connection = await asyncpg.connect(stack.databases["wallet"].superuser_url)
    try:
        rows = await connection.fetch(ENTRIES, organization_id)
    finally:
        await connection.close()
    return sorted((row["payment_id"], row["amount_micros"]) for row in rows)


async def _verifies(stack: Stack, organization_id: str) -> bool:
    request = VerifyLedgerRequest(organization_id=organization_id)
    return not [
        each async for each in stack.wallet.VerifyLedger(request) if each.HasField("finding")
    ]
