"""Killed at any step of making a subaccount, a service that starts again ends with one account.

A step is one write to the database or to Twilio. SEARCH_TIMES=20 tries every step, each both before
it is taken and before its answer arrives.
"""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.simulators.twilio import TwilioSimulator
from tests.integration.telephony.provisioning.steps import ProvisionSteps
from tests.integration.telephony.steps import ACTIVE
from tests.support.crashing.nursery import open_nursery
from tests.support.crashing.process import CrashingProcess, database_url_for
from tests.support.crashing.wires import Death, Wires
from tests.support.databases import ServiceDatabase
from tests.support.searching import SEARCH_TIMES
from tests.support.services import ANY_PORT, free_address
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN
from tests.support.waiting import eventually

# Of all deaths one in so many is tried, others each time. Odd, so that both sides of steps come by.
ONE_IN = round(25 / SEARCH_TIMES) | 1
NUMBERS = itertools.count(1)
READY_SECONDS = 60.0

# To look for work that nobody has told of is a step like any other.
POLL_SECONDS, POLL_SECONDS_WOKEN_ONLY = "0.05", "5"
SETTINGS = {
    # By one connection, steps come in the same order each time.
    "TELEPHONY_DATABASE_POOL_SIZE": "1",
    "TELEPHONY_METRICS_ADDRESS": ANY_PORT,
    "TELEPHONY_TWILIO_RECHECK_SECONDS": "0.5",
    "TELEPHONY_TWILIO_BACK_OFF_MAX_SECONDS": "0.1",
    "TWILIO_ACCOUNT_SID": TWILIO_SID,
    "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
}
# With the service dead, as much time goes by as leases last.
LET_LEASES_END = """
UPDATE provisions SET due_time = now(), lease_end_time = now() WHERE lease_end_time IS NOT NULL;
UPDATE subaccounts SET next_attempt_time = now(), lease_end_time = now()
WHERE lease_end_time IS NOT NULL;
"""
# As much time as until the next look for what was made twice.
LOOK_NOW = "UPDATE provisions SET due_time = now() WHERE due_time > now()"
NOT_LOOKED_AT = "SELECT FROM provisions WHERE due_time <= now() OR lease_end_time IS NOT NULL"


@pytest.fixture
async def service(
    database: ServiceDatabase, twilio: TwilioSimulator, tmp_path: Path
) -> AsyncIterator[CrashingProcess]:
    """A service to be started."""
    wires = Wires()
    connection = await asyncpg.connect(database.superuser_url)
    log_file = tmp_path / "telephony.log"
    settings = {
        **SETTINGS,
        "TELEPHONY_LISTEN_ADDRESS": free_address(),
        "TELEPHONY_DATABASE_URL": await database_url_for(database, wires),
        "TWILIO_API_BASE": f"http://{await wires.lead_to(urlsplit(twilio.base_url).netloc)}",
    }
    async with open_nursery() as nursery:
        yield CrashingProcess("telephony", nursery, wires, connection, settings, log_file)
    await wires.close()
    await connection.close()
    print(log_file.read_text())  # noqa: T201 - shown with a failure


def deaths() -> Iterator[Death]:
    """Return what is tried, step after step, for as long as somebody gets there."""
    for number in itertools.count(random.randrange(ONE_IN), ONE_IN):
        death = Death(1 + number // 2, is_step_taken=number % 2 == 1)
        print(death)  # noqa: T201 - shown with a failure
        yield death


@pytest.mark.timeout(300 * max(1, SEARCH_TIMES))
async def test_one_account_is_made_whenever_the_service_is_killed(
    service: CrashingProcess, twilio: TwilioSimulator
) -> None:
    for death in deaths():
        if not await is_reached(service, twilio, death):
            break


async def is_reached(service: CrashingProcess, twilio: TwilioSimulator, death: Death) -> bool:
    """Kill the service so, start it again, and check; False if all was over before that."""
    organization_id = f"org-{next(NUMBERS)}"
    await start(service, poll_seconds=POLL_SECONDS_WOKEN_ONLY)
    async with grpc.aio.insecure_channel(service.settings["TELEPHONY_LISTEN_ADDRESS"]) as channel:
        steps = ProvisionSteps(channel, twilio)
        await steps.make_good(organization_id)
        is_reached = await ask_and_kill(service, steps, organization_id, death)
    async with grpc.aio.insecure_channel(service.settings["TELEPHONY_LISTEN_ADDRESS"]) as channel:
        await check(service, ProvisionSteps(channel, twilio), organization_id)
    await service.kill()
    return is_reached


async def ask_and_kill(
    service: CrashingProcess, steps: ProvisionSteps, organization_id: str, death: Death
) -> bool:
    wires = service.wires
    wires.arm(death)
    asking = asyncio.create_task(
        refused_or_not(steps.ask(organization_id=organization_id, friendly_name=organization_id))
    )

    async def is_over() -> bool:
        return wires.is_over or asking.done()

    await eventually(is_over, lambda over: over, READY_SECONDS)
    if not wires.is_cut:
        wires.disarm()
        return False
    await service.kill()
    await asking
    await service.connection.execute(LET_LEASES_END)
    await start(service, poll_seconds=POLL_SECONDS)
    return True


async def refused_or_not(call: Awaitable[object]) -> None:
    with suppress(grpc.aio.AioRpcError):
        await call


async def check(service: CrashingProcess, steps: ProvisionSteps, organization_id: str) -> None:
    """A repeated reference has one account, and Twilio no other of its name that is active."""
    account_sid = await steps.made(organization_id=organization_id, friendly_name=organization_id)
    await steps.reach(ACTIVE, account_sid)
    await service.connection.execute(LOOK_NOW)
    await eventually(lambda: service.connection.fetch(NOT_LOOKED_AT), lambda due: not due)
    active = await steps.at_twilio("active")
    ours = [sid for sid, name in active.items() if name.startswith(f"{organization_id} ")]
    assert ours == [account_sid]


async def start(service: CrashingProcess, *, poll_seconds: str) -> None:
    await service.start(TELEPHONY_POLL_INTERVAL_SECONDS=poll_seconds)

    async def status() -> int:
        address = service.settings["TELEPHONY_LISTEN_ADDRESS"]
        async with grpc.aio.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                return int((await stub.Check(health_pb2.HealthCheckRequest())).status)
            except grpc.aio.AioRpcError:
                return int(health_pb2.HealthCheckResponse.UNKNOWN)

    serving = health_pb2.HealthCheckResponse.SERVING
    await eventually(status, lambda seen: seen == serving, READY_SECONDS)
