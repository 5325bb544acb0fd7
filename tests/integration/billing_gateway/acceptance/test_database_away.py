"""The database is gone or hangs: both providers are told to come again, and it counts then."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from services.billing_gateway.operations.inserting import ANSWER_SECONDS_MAX
from tests.integration.billing_gateway.acceptance import paypal_verbs, stripe_verbs
from tests.integration.billing_gateway.acceptance.ends import quiet
from tests.integration.billing_gateway.acceptance.organization import Organization, Verb
from tests.integration.billing_gateway.acceptance.stories import play
from tests.integration.billing_gateway.subscriptions_told import query
from tests.support.database_door import DatabaseDoor
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.two_providers import TwoProviders

# Some more than the gateway's own limit, for a busy machine.
SECONDS_MAX = ANSWER_SECONDS_MAX + 4.0

Take = Callable[[DatabaseDoor], Awaitable[None]]


@pytest.fixture
async def door(
    stopped_stack: Stack,
    providers: TwoProviders,
) -> AsyncIterator[DatabaseDoor]:
    """The gateway's way to its database; the wallet has another."""
    database = stopped_stack.databases["billing_gateway"]
    server = urlsplit(database.url)
    assert server.hostname is not None
    assert server.port is not None
    door = DatabaseDoor(server.hostname, server.port)
    await door.open()
    url = database.url.replace(f":{server.port}/", f":{door.port}/")
    stopped_stack.databases = {
        **stopped_stack.databases,
        "billing_gateway": replace(database, url=url),
    }
    await stopped_stack.start("wallet", "billing_gateway")
    yield door
    await door.open()
    await stopped_stack.stop("billing_gateway")
    await door.shut()


async def time_of(delivery: Awaitable[int]) -> tuple[int, float]:
    start = time.monotonic()
    return await delivery, time.monotonic() - start


@pytest.mark.parametrize("pay", [paypal_verbs.top_up, stripe_verbs.top_up])
@pytest.mark.parametrize("take", [DatabaseDoor.shut, DatabaseDoor.hang])
async def test_a_delivery_is_answered_503_without_the_database_and_counts_when_it_comes_again(
    stopped_stack: Stack, providers: TwoProviders, door: DatabaseDoor, pay: Verb, take: Take
) -> None:
    told = await play(Organization("org-1", stopped_stack, providers), [pay])

    await take(door)

    # Some wait for others that are being stored.
    deliveries = (time_of(providers.deliver(each)) for each in told * 10)
    answers = await asyncio.gather(*deliveries)
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < SECONDS_MAX
    assert (await wallet_of(stopped_stack, "org-1")).balance_micros == 0
    await door.open()
    assert [await providers.deliver(each) for each in told] == [200] * len(told)
    await quiet(stopped_stack)
    assert (await wallet_of(stopped_stack, "org-1")).balance_micros == 25_000_000
    [row] = await query(stopped_stack, "SELECT count(*) FROM webhook_events")
    assert row[0] == len(told)
