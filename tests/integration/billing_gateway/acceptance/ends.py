"""How everything stands for an organization when all is quiet, but for what the way left."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from tests.integration.billing_gateway.subscriptions_told import standing_of
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.two_providers import Told
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
)
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.telephony.v1 import telephony_service_pb2

DAY = timedelta(days=1)
# What is being done, or done again, has an attempt and is leased for a minute. What is only asked
# in time is not waited for: that of earlier stories comes due in the midst of later ones.
NOT_QUIET = """
SELECT 'event ' || event_id AS work FROM webhook_events WHERE state = 'RECEIVED'
UNION ALL SELECT 'look ' || subscription_id FROM subscriptions
    WHERE look_due_time < now() + interval '5 s'
    OR (look_attempt_count > 0 AND look_due_time < now() + interval '90 s')
UNION ALL SELECT 'resolve ' || payment_id FROM payments
    WHERE resolve_due_time < now() + interval '90 s'
UNION ALL SELECT 'errand ' || checkout_id FROM checkouts
    WHERE errand_due_time < now() + interval '5 s'
    OR (errand_attempt_count > 0 AND errand_due_time < now() + interval '90 s')
UNION ALL SELECT 'announcement ' || key || ' ' || last_error FROM announcements
    WHERE acknowledged_revision < revision
"""
# Of a doubt the provider is asked two seconds later, so that its clock has gone on: here it has.
# Whose a reversal is that names no payment is only asked after a minute, when nothing has told.
ASK_NOW = """
WITH looks AS (
    UPDATE subscriptions SET look_due_time = now()
    WHERE look_due_time BETWEEN now() AND now() + interval '3 s'
)
UPDATE payments SET resolve_due_time = now()
WHERE resolve_due_time > now() AND resolve_attempt_count = 0
"""
SWEEP = "UPDATE checkouts SET errand_due_time = now() WHERE errand_due_time IS NOT NULL"
WALLET_NOT_QUIET = """
SELECT 'announcement to ' || observer || ' ' || last_error AS work FROM announcements
WHERE observer = ANY ($1) AND acknowledged_revision < revision
"""
# A freeze notes how the subscription stood when it began. What the gateway itself captures is paid
# when it hears of it.
OF_THE_WAY = re.compile(r"(createTime|updateTime|paidTime|\w*[rR]evision|entryCount|eventId|note)$")
BY_THE_PROVIDER = re.compile(r"(\w*Time|goodUntil)$")
ID = re.compile(
    r"\b(?:[a-z]{2,5}(?:_test)?_[0-9a-f]{24}|WH-[A-Z0-9]{17}-[A-Z0-9]{17}|PP-D-[A-Z0-9]{6}"
    r"|I-[A-Z0-9]{12}|[A-Z0-9]{17}|[2-9A-HJ-NP-Z]{13})\b"
)


async def quiet(stack: Stack) -> None:
    """Wait until nothing is under way."""
    async with database_of(stack, "billing_gateway") as gateway:

        async def look() -> list[str]:
            await gateway.execute(ASK_NOW)
            return [row["work"] for row in await gateway.fetch(NOT_QUIET)]

        await eventually(look, lambda found: not found)
    observers = list(stack.running)
    async with database_of(stack, "wallet") as wallet:
        await eventually(lambda: wallet.fetch(WALLET_NOT_QUIET, observers), lambda rows: not rows)


async def sweep(stack: Stack) -> None:
    """Let the gateway ask once how every open checkout stands, as it does every now and then."""
    async with database_of(stack, "billing_gateway") as gateway:
        await gateway.execute(SWEEP)
    await quiet(stack)


@asynccontextmanager
async def database_of(stack: Stack, service: str) -> AsyncIterator[asyncpg.Connection]:
    """Open one connection for looking again and again."""
    connection = await asyncpg.connect(stack.databases[service].superuser_url)
    try:
        yield connection
    finally:
        await connection.close()


async def end_of(stack: Stack, organization_id: str, begin: datetime | None = None) -> Any:
    """Return every field of wallet, payments, subscriptions and eligibility.

    But for revisions and our own times; the provider's are told as days since the story's begin, if
    that is given.
    Of eligibility it has as much as the services tell that are there.
    """
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
    permissions = await permissions_of(stack, organization_id)
    told = [MessageToDict(each) for each in (wallet, standing, *permissions, *payments)]
    return in_order([_without_the_way(each, begin) for each in told])


async def permissions_of(stack: Stack, organization_id: str) -> list[Message]:
    """Return what an organization may do, as far as there is somebody to ask."""
    answers: list[Message] = []
    if "campaign" in stack.running:
        asked = campaign_service_pb2.GetEligibilityRequest(organization_id=organization_id)
        answers.append(await stack.campaign.GetEligibility(asked))
    if "telephony" in stack.running:
        wish = telephony_service_pb2.CanOrganizationSendRequest(organization_id=organization_id)
        answers.append(await stack.telephony.CanOrganizationSend(wish))
    return answers


def named_alike(end: Any, organization_id: str, told: Iterable[Told]) -> list[Any]:
    """Return an end with the names of one story in place of its organization's own."""
    names: dict[str, str] = {organization_id: "the organization"}
    for each in told:
        for found in ID.findall(each.event.body.decode()):
            names.setdefault(found, f"id {len(names)}")
    text = json.dumps(end)
    pattern = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True)))
    entries = json.loads(pattern.sub(lambda found: names[found.group()], text))
    return sorted(map(in_order, entries), key=json.dumps)


def differences(end: list[Any], other: list[Any]) -> list[str]:
    """Return what only one of two ends has."""
    sides = (("only in order", end, other), ("not in order", other, end))
    return [
        f"{side}: {json.dumps(each)}"
        for side, has, lacks in sides
        for each in has
        if each not in lacks
    ]


def _without_the_way(value: Any, begin: datetime | None) -> Any:
    if isinstance(value, list):
        return [_without_the_way(each, begin) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: each for name, each in value.items() if not OF_THE_WAY.match(name)}
    times = {name: each for name, each in told.items() if BY_THE_PROVIDER.match(name)}
    others = {name: _without_the_way(told[name], begin) for name in told.keys() - times.keys()}
    if begin is None:
        return others
    return others | {name: _days(each, begin) for name, each in times.items()}


def _days(time: str, begin: datetime) -> int:
    return round((datetime.fromisoformat(time) - begin) / DAY)


def in_order(value: Any) -> Any:
    """Return it with every list sorted: which of its entries came first is of the way."""
    if isinstance(value, dict):
        return {name: in_order(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted(
            (in_order(each) for each in value), key=lambda it: json.dumps(it, sort_keys=True)
        )
    return value
