"""Many organizations canceled at once, and one in the midst of as many that are activated."""

import time

import asyncpg

from dev.bench.requests import account_sid_of
from dev.bench.rows import Figures
from dev.bench.telephony import TWILIO_CONCURRENCY, Telephony

FIRST = 100_000
TWILIO_SECONDS = 0.1
MILLISECONDS_PER_SECOND = 1_000

LAST_SUSPENSION = """
SELECT extract(epoch FROM max(create_time))::float8
FROM subaccount_changes WHERE observed_to = 'SUSPENDED' AND observed_from <> 'SUSPENDED'
"""


async def measure_mass(telephony: Telephony, count: int) -> Figures:
    """Each needs one call to be suspended; those that are activated are looked at before that."""
    many, single = range(FIRST, FIRST + count), FIRST + count
    everybody = range(FIRST, single + 1)
    await telephony.add_organizations(everybody)
    await telephony.report_subscriptions(everybody, 1, good=True)
    await telephony.wait_until_all_are("ACTIVE", everybody)
    await telephony.set_load(round(TWILIO_SECONDS * MILLISECONDS_PER_SECOND), TWILIO_CONCURRENCY)
    start = time.time()
    await telephony.report_subscriptions(many, 2, good=False)
    await telephony.wait_until_all_are("SUSPENDED", many)
    connection = await asyncpg.connect(telephony.superuser_url)
    try:
        end: float = await connection.fetchval(LAST_SUSPENSION)
        await telephony.report_subscriptions(many, 3, good=True)
        await telephony.report_subscriptions([single], 2, good=False)
        asked = time.time()
        await telephony.wait_until_all_are("SUSPENDED", range(single, single + 1))
    finally:
        await connection.close()
    told, calls_before = await _place_of(telephony, account_sid_of(single), asked)
    await telephony.set_load(0, None)
    return {
        "mass_seconds": end - start,
        "mass_ideal_seconds": count / TWILIO_CONCURRENCY * TWILIO_SECONDS,
        "single_calls_before": calls_before,
        "single_milliseconds": max(0.0, told - asked) * MILLISECONDS_PER_SECOND,
    }


async def _place_of(telephony: Telephony, account_sid: str, asked: float) -> tuple[float, int]:
    """When Twilio was told, and how many calls for others began between the question and that."""
    requests = await telephony.requests()
    told = min(
        request.time
        for request in requests
        if request.account_sid == account_sid and request.is_suspension
    )
    return told, sum(1 for request in requests if asked < request.time < told)
