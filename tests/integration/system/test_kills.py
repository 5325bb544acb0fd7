"""Killed with no time to say goodbye, while levels are not acknowledged: all converges after."""

import asyncpg
import pytest

from dev.stripe_simulator import Customer
from tests.support.databases import ServiceDatabases
from tests.support.processes import ServiceProcess
from tests.support.sights import CUT_OFF, ORGANIZATION, SENDING, let_send, reach, subscription_is
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN, Stack
from tests.support.waiting import eventually

CUSTOMER = Customer(ORGANIZATION)


async def unacknowledged_by(stack: Stack, observer: str) -> int:
    """Count the gateway's levels that an observer has not acknowledged."""
    connection = await asyncpg.connect(stack.databases["billing_gateway"].url)
    try:
        count = await connection.fetchval(
            "SELECT count(*) FROM announcements "
            "WHERE observer = $1 AND acknowledged_revision < revision",
            observer,
        )
    finally:
        await connection.close()
    return int(count)


@pytest.mark.long
async def test_kills_in_turn_while_levels_are_unacknowledged_converge_without_a_hand(
    stopped_stack: Stack, databases: ServiceDatabases
) -> None:
    stack = stopped_stack
    campaign = ServiceProcess(
        "campaign",
        stack.addresses["campaign"],
        {"CAMPAIGN_DATABASE_URL": stack.databases["campaign"].url},
    )
    telephony = ServiceProcess(
        "telephony",
        stack.addresses["telephony"],
        {
            "TELEPHONY_DATABASE_URL": stack.databases["telephony"].url,
            "TWILIO_ACCOUNT_SID": TWILIO_SID,
            "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "TWILIO_API_BASE": stack.twilio.base_url,
        },
    )
    await stack.start("wallet", "billing_gateway")
    async with campaign.running(), telephony.running():
        await let_send(stack, CUSTOMER)

    await subscription_is(stack, CUSTOMER, "past_due")
    for observer in ("campaign", "telephony"):
        await eventually(
            lambda: unacknowledged_by(stack, observer),  # noqa: B023 - awaited at once
            lambda count: count == 1,
        )
    for database in stack.databases.values():
        await databases.kill_connections(database)

    async with campaign.running():
        await eventually(lambda: unacknowledged_by(stack, "campaign"), lambda count: count == 0)
        await databases.kill_connections(stack.databases["billing_gateway"])
        async with telephony.running():
            await reach(stack, CUT_OFF)
        await subscription_is(stack, CUSTOMER, "active")
        await databases.kill_connections(stack.databases["wallet"])
        async with telephony.running():
            await reach(stack, SENDING)
