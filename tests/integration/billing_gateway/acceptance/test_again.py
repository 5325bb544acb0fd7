"""Everything again: replayed, redelivered, and told to a database that lost the last of it."""

import asyncio
from typing import Any

import pytest

from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.acceptance.ends import end_of, in_order, quiet
from tests.integration.billing_gateway.acceptance.organization import Organization
from tests.integration.billing_gateway.acceptance.stories import WHOLE_STORY, play
from tests.integration.billing_gateway.subscriptions_told import history_of, query
from tests.support.databases import ServiceDatabases
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.two_providers import Told, TwoProviders
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_events_pb2

# Before it: top-ups, refunds and a subscription; after it what ended them, and all of Stripe's.
BACKUP = 8


async def tell(stack: Stack, providers: TwoProviders, told: list[Told]) -> None:
    """Deliver events and wait until nothing is under way."""
    assert {await providers.deliver(each) for each in told} == {200}
    await quiet(stack)


async def seen(stack: Stack) -> Any:
    """Return how org-1 stands, and how many steps led there."""
    wallet = await wallet_of(stack, "org-1")
    return await end_of(stack, "org-1"), wallet.entry_count, len(await history_of(stack))


@pytest.mark.long
async def test_a_replay_and_a_redelivery_of_everything_change_nothing(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    told = await play(Organization("org-1", believing_stack, providers), WHOLE_STORY)
    await tell(believing_stack, providers, told)
    before = await seen(believing_stack)

    request = billing_gateway_service_events_pb2.ReplayWebhookEventsRequest()
    answer = await believing_stack.gateway.ReplayWebhookEvents(request)

    assert answer.replayed_count == len(told)
    await quiet(believing_stack)
    assert await seen(believing_stack) == before
    await tell(believing_stack, providers, told[::-1])
    assert await seen(believing_stack) == before


def without_wishes(end: Any) -> Any:
    """Leave out what only the lost rows knew: which of the platform's references a payment had."""
    for each in end:
        each.get("payment", {}).pop("checkoutReferenceId", None)
    return in_order(end)


@pytest.mark.long
async def test_a_restored_database_is_told_the_rest_again_and_stands_as_before(
    believing_stack: Stack, providers: TwoProviders, databases: ServiceDatabases
) -> None:
    organization = Organization("org-1", believing_stack, providers)
    first = await play(organization, WHOLE_STORY[:BACKUP])
    await tell(believing_stack, providers, first)
    await believing_stack.stop("billing_gateway")
    lived_in = believing_stack.databases["billing_gateway"]
    backup = await databases.clone("billing_gateway", lived_in.name)
    try:
        await believing_stack.start("billing_gateway")
        since = await play(organization, WHOLE_STORY[BACKUP:])
        await tell(believing_stack, providers, since)
        before = without_wishes(await end_of(believing_stack, "org-1"))
        await believing_stack.stop("billing_gateway")
        believing_stack.databases = {**believing_stack.databases, "billing_gateway": backup}
        await believing_stack.start("billing_gateway")

        await tell(believing_stack, providers, since)

        after = without_wishes(await end_of(believing_stack, "org-1"))
        assert after == before
    finally:
        await believing_stack.stop("billing_gateway")
        await databases.drop(backup)


async def test_while_the_wallet_is_down_events_are_taken_and_they_count_when_it_is_back(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    told = await play(Organization("org-1", believing_stack, providers), WHOLE_STORY)
    await believing_stack.stop("wallet")

    statuses = await asyncio.gather(*(providers.deliver(each) for each in told))

    assert set(statuses) == {200}
    unsettled = "SELECT event_id FROM webhook_events WHERE state = 'RECEIVED'"
    await eventually(lambda: query(believing_stack, unsettled), lambda found: not found)
    await believing_stack.start("wallet")
    await quiet(believing_stack)
    left = "SELECT sum(credited_micros - reversed_micros) AS micros FROM payments"
    [row] = await query(believing_stack, left)
    assert (await wallet_of(believing_stack, "org-1")).balance_micros == row["micros"] > 0
    assert {each.provider for each in told} == set(Provider)
