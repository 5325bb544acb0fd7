"""Killed at any step of making a subaccount, a service that starts again ends with one account.

A step is one write to the database or to Twilio. SEARCH_TIMES=20 tries every step, each both before
it is taken and before its answer arrives.
"""

import asyncio
import itertools
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial

import grpc
import pytest

from dev.simulators.twilio import TwilioSimulator
from tests.integration.telephony.provisioning.steps import ProvisionSteps
from tests.integration.telephony.steps import ACTIVE
from tests.support.crashing.deaths import try_deaths
from tests.support.crashing.telephony import READY_SECONDS, TelephonyProcess
from tests.support.crashing.wires import Death
from tests.support.searching import SEARCH_TIMES
from tests.support.waiting import eventually

NUMBERS = itertools.count(1)
# As much time as until the next look for what was made twice.
LOOK_NOW = "UPDATE provisions SET due_time = now() WHERE due_time > now()"
NOT_LOOKED_AT = "SELECT FROM provisions WHERE due_time <= now() OR lease_end_time IS NOT NULL"


@pytest.mark.long
@pytest.mark.timeout(300 * max(1, SEARCH_TIMES))
async def test_one_account_is_made_whenever_the_service_is_killed(
    service: TelephonyProcess, twilio: TwilioSimulator
) -> None:
    await try_deaths(service.wires, partial(is_reached, service, twilio))


async def is_reached(service: TelephonyProcess, twilio: TwilioSimulator, death: Death) -> bool:
    """Kill the service so, start it again, and check; False if all was over before that."""
    organization_id = f"org-{next(NUMBERS)}"
    await service.start_and_wait(woken_only=True)
    async with service.channel() as channel:
        steps = ProvisionSteps(channel, twilio)
        await steps.make_good(organization_id)
        is_reached = await ask_and_kill(service, steps, organization_id, death)
    async with service.channel() as channel:
        await check(service, ProvisionSteps(channel, twilio), organization_id)
    await service.kill()
    return is_reached


async def ask_and_kill(
    service: TelephonyProcess, steps: ProvisionSteps, organization_id: str, death: Death
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
    await service.let_leases_end()
    await service.start_and_wait(woken_only=False)
    return True


async def refused_or_not(call: Awaitable[object]) -> None:
    with suppress(grpc.aio.AioRpcError):
        await call


async def check(service: TelephonyProcess, steps: ProvisionSteps, organization_id: str) -> None:
    """A repeated reference has one account, and Twilio no other of its name that is active."""
    account_sid = await steps.made(organization_id=organization_id, friendly_name=organization_id)
    await steps.reach(ACTIVE, account_sid)
    await service.connection.execute(LOOK_NOW)
    await eventually(lambda: service.connection.fetch(NOT_LOOKED_AT), lambda due: not due)
    active = await steps.at_twilio("active")
    ours = [sid for sid, name in active.items() if name.startswith(f"{organization_id} ")]
    assert ours == [account_sid]
