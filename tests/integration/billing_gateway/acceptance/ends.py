"""How everything stands for an organization when all is quiet, but for what the way left."""

import json
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from tests.integration.billing_gateway.subscriptions_told import query, standing_of
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.two_providers import Told
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
)

# What is being done is leased for a minute; what is only asked by the day is not waited for.
NOT_QUIET = """
SELECT 'event ' || event_id FROM webhook_events WHERE state = 'RECEIVED'
UNION ALL SELECT 'look ' || subscription_id FROM subscriptions
    WHERE look_due_time < now() + interval '90 s'
UNION ALL SELECT 'resolve ' || payment_id FROM payments
    WHERE resolve_due_time < now() + interval '90 s'
UNION ALL SELECT 'errand ' || checkout_id FROM checkouts
    WHERE errand_due_time < now() + interval '90 s'
UNION ALL SELECT 'announcement ' || key || ' ' || last_error FROM announcements
    WHERE acknowledged_revision < revision
"""
# Whose a reversal is that names no payment is only asked after a minute, when nothing has told.
ASK_NOW = """
UPDATE payments SET resolve_due_time = now()
WHERE resolve_due_time > now() AND resolve_attempt_count = 0
"""
# A freeze notes how the subscription stood when it began.
OF_THE_WAY = re.compile(r"(\w*Time|goodUntil|\w*[rR]evision|entryCount|eventId|note)$")
ID = re.compile(
    r"\b(?:[a-z]{2,5}(?:_test)?_[0-9a-f]{24}|WH-[A-Z0-9]{17}-[A-Z0-9]{17}|PP-D-[A-Z0-9]{6}"
    r"|I-[A-Z0-9]{12}|[A-Z0-9]{17})\b"
)


async def quiet(stack: Stack) -> None:
    """Wait until nothing is under way."""

    async def look() -> list[str]:
        await query(stack, ASK_NOW)
        return [row[0] for row in await query(stack, NOT_QUIET)]

    await eventually(look, lambda found: not found)


async def end_of(stack: Stack, organization_id: str) -> Any:
    """Return every field of wallet, payments and subscriptions but times and revisions."""
    listed = await stack.gateway.ListPayments(
        billing_gateway_service_payments_pb2.ListPaymentsRequest(
            organization_id=organization_id, page_size=500
        )
    )
    # A list leaves the components out.
    payments = [
        await stack.gateway.GetPayment(
            billing_gateway_service_pb2.GetPaymentRequest(
                provider=each.provider, payment_id=each.payment_id
            )
        )
        for each in listed.payments
    ]
    standing = await standing_of(stack, organization_id)
    wallet = await wallet_of(stack, organization_id)
    return _without_the_way([wallet, standing, *payments])


def named_alike(end: Any, organization_id: str, told: Iterable[Told]) -> Any:
    """Return an end with the names of one story in place of its organization's own."""
    names: dict[str, str] = {organization_id: "the organization"}
    for each in told:
        for found in ID.findall(each.event.body.decode()):
            names.setdefault(found, f"id {len(names)}")
    text = json.dumps(end)
    pattern = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True)))
    return in_order(json.loads(pattern.sub(lambda found: names[found.group()], text)))


def _without_the_way(messages: Iterable[Message]) -> Any:
    return in_order([_stripped(MessageToDict(each)) for each in messages])


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stripped(each) for name, each in value.items() if not OF_THE_WAY.match(name)}
    return [_stripped(each) for each in value] if isinstance(value, list) else value


def in_order(value: Any) -> Any:
    """Return it with every list sorted: which of its entries came first is of the way."""
    if isinstance(value, dict):
        return {name: in_order(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted(
            (in_order(each) for each in value), key=lambda it: json.dumps(it, sort_keys=True)
        )
    return value
