"""How soon bad news has its effect: a wallet is depleted, a subscription is canceled."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from statistics import median

import aiohttp
import asyncpg

from dev.bench.campaigns import CAMPAIGNS_OF_EACH, Campaigns
from dev.bench.gateway import Gateway
from dev.bench.ingest import MILLISECONDS_PER_SECOND, credit_waits, last_hundredth
from dev.bench.load import pace
from dev.bench.requests import ASKING_ORGANIZATIONS, account_sid_of, debit, organization_of
from dev.bench.rows import Figures
from dev.bench.telephony import Telephony
from dev.stripe_simulator import Customer, signature_header, subscription_event, to_body
from libs.rpc.channel import open_channel
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ORGANIZATIONS_PER_SECOND = 50
EFFECT_SECONDS_MAX = 120.0
LOOK_SECONDS = 0.5
CALL_SECONDS_MAX = 30.0
# Of the organizations of telephony, those that the gateway tells of.
FIRST_TOLD = ASKING_ORGANIZATIONS

PAUSED = """
SELECT organization_id, extract(epoch FROM max(create_time))::float8 AS time
FROM campaign_changes WHERE to_state = 'PAUSED'
GROUP BY organization_id HAVING count(*) = $1
"""


async def measure_pauses(campaigns: Campaigns, count: int) -> Figures:
    """From the answer to the debit that takes the last money to the last campaign's pause."""
    numbers = range(count)
    await campaigns.add_organizations(numbers)
    answer_times: dict[str, float] = {}
    async with open_channel(campaigns.wallet.address) as channel:
        stub = WalletServiceStub(channel)

        async def deplete(number: int) -> None:
            organization_id = organization_of(number)
            await stub.Debit(debit(organization_id), timeout=CALL_SECONDS_MAX)
            answer_times[organization_id] = time.time()

        await pace(deplete, numbers, ORGANIZATIONS_PER_SECOND)
    pause_times = await _wait_for_pauses(campaigns.superuser_url, count)
    return told("paused", credit_waits(answer_times, pause_times))


async def measure_suspensions(gateway: Gateway, telephony: Telephony, count: int) -> Figures:
    """From 200 for the event of the cancellation to the request that reaches Twilio."""
    numbers = range(FIRST_TOLD, FIRST_TOLD + count)
    customers = {number: Customer(organization_of(number)) for number in numbers}
    await telephony.add_organizations(numbers)
    async with aiohttp.ClientSession() as http:
        await _deliver(http, gateway, customers, "created", "active")
        await telephony.wait_until_all_are("ACTIVE", numbers)
        answer_times = await _deliver(http, gateway, customers, "deleted", "canceled")
        await telephony.wait_until_all_are("SUSPENDED", numbers)
    told_times = {
        request.account_sid: request.time
        for request in await telephony.requests()
        if request.is_suspension
    }
    by_sid = {account_sid_of(number): answered for number, answered in answer_times.items()}
    return told("twilio_told", credit_waits(by_sid, told_times))


async def _deliver(
    http: aiohttp.ClientSession,
    gateway: Gateway,
    customers: Mapping[int, Customer],
    kind: str,
    status: str,
) -> dict[int, float]:
    """Returns when each was answered."""
    answer_times: dict[int, float] = {}
    url = f"http://{gateway.address}/webhooks/stripe"

    async def deliver(number: int) -> None:
        now = datetime.now(UTC)
        event = subscription_event(customers[number], kind, status, now, now + timedelta(days=30))
        body = to_body(event)
        headers = {"Stripe-Signature": signature_header(body, gateway.stripe_secret)}
        async with http.post(url, data=body, headers=headers) as answer:
            answer.raise_for_status()
        answer_times[number] = time.time()

    await pace(deliver, customers, ORGANIZATIONS_PER_SECOND)
    return answer_times


async def _wait_for_pauses(campaign_url: str, count: int) -> dict[str, float]:
    connection = await asyncpg.connect(campaign_url)
    try:
        async with asyncio.timeout(EFFECT_SECONDS_MAX):
            while True:
                rows = await connection.fetch(PAUSED, CAMPAIGNS_OF_EACH)
                if len(rows) == count:
                    return {row["organization_id"]: row["time"] for row in rows}
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()


def told(what: str, waits: Iterable[float]) -> Figures:
    listed = list(waits)
    return {
        f"{what}_median_milliseconds": median(listed) * MILLISECONDS_PER_SECOND,
        f"{what}_p99_milliseconds": last_hundredth(listed) * MILLISECONDS_PER_SECOND,
    }
