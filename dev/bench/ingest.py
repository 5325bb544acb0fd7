"""Ingest of signed events beside a bare handler, and how long their money is on its way."""

import asyncio
import json
import sys
from collections.abc import Mapping
from statistics import median, quantiles

import asyncpg

from dev.bench.delivering import SIGNED_BY, Delivered
from dev.bench.gateway import Gateway
from dev.bench.load import Timing
from dev.bench.programs import run_to_end
from dev.bench.rows import Figures

CREDIT_SECONDS_MAX = 300.0
# Seldom, since looking takes of what is measured.
LOOK_SECONDS = 0.5
MILLISECONDS_PER_SECOND = 1_000.0

CREDITED = """
SELECT payment_id, extract(epoch FROM create_time)::float8 AS time
FROM entries WHERE payment_id = ANY ($1)
"""


async def measure_ingest(gateway: Gateway, provider: str, count: int) -> Figures:
    """Delivers to the bare handler and to the gateway, and waits until all is credited."""
    delivered = await _deliver(gateway, provider, count)
    credit_times = await _wait_for_credits(gateway.wallet.superuser_url, delivered.answer_times)
    waits = credit_waits(delivered.answer_times, credit_times)
    return {
        f"{provider}_ingested_per_second": delivered.ingest.calls_per_second,
        f"{provider}_ingest_client_cores": delivered.ingest.client_cores,
        f"{provider}_bare_inserts_per_second": delivered.bare.calls_per_second,
        f"{provider}_bare_inserts_client_cores": delivered.bare.client_cores,
        f"{provider}_credited_per_second": len(waits)
        / _seconds_to_credit_all(delivered.answer_times, credit_times),
        f"{provider}_credited_median_milliseconds": median(waits) * MILLISECONDS_PER_SECOND,
        f"{provider}_credited_p99_milliseconds": last_hundredth(waits) * MILLISECONDS_PER_SECOND,
    }


def credit_waits(
    answer_times: Mapping[str, float], credit_times: Mapping[str, float]
) -> list[float]:
    """The seconds from each payment's 200 to its entry in the ledger."""
    # An entry's time is that of its transaction's start, which may come before the client's turn.
    return [max(0.0, credit_times[each] - time) for each, time in answer_times.items()]


def last_hundredth(waits: list[float]) -> float:
    """What 99 of 100 do not pass."""
    return quantiles(waits, n=100, method="inclusive")[-1]


def _seconds_to_credit_all(
    answer_times: Mapping[str, float], credit_times: Mapping[str, float]
) -> float:
    return max(credit_times.values()) - min(answer_times.values())


async def _deliver(gateway: Gateway, provider: str, count: int) -> Delivered:
    signing = {
        "stripe": ["stripe"],
        "paypal": [
            *("paypal", "--certificates", str(gateway.paypal.certificates)),
            *("--webhook-id", gateway.paypal.webhook_id),
        ],
    }
    output = await run_to_end(
        *(sys.executable, "-m", "dev.bench.delivering", "--address", gateway.address),
        *("--bare-address", gateway.bare_address, "--count", str(count), *signing[provider]),
        environment={SIGNED_BY: gateway.stripe_secret},
    )
    bare, ingest, answer_times = json.loads(output)
    return Delivered(Timing(*bare), Timing(*ingest), answer_times)


async def _wait_for_credits(wallet_url: str, answer_times: Mapping[str, float]) -> dict[str, float]:
    """Returns when each payment was credited."""
    connection = await asyncpg.connect(wallet_url)
    try:
        async with asyncio.timeout(CREDIT_SECONDS_MAX):
            while True:
                rows = await connection.fetch(CREDITED, list(answer_times))
                if len(rows) == len(answer_times):
                    return {row["payment_id"]: row["time"] for row in rows}
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()
