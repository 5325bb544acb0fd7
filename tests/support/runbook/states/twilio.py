"""Twilio as a whole that cannot be used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc

from dev.simulators.faults import Fault, Refusal, Unavailable
from dev.simulators.twilio.accounts import AccountStatus
from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Make, Situation, State
from tests.support.runbook.states.subaccounts import reconcile
from tests.support.stack import TWILIO_SID
from tests.support.waiting import eventually
from tollgate.telephony.v1 import telephony_service_pb2, twilio_health_pb2


async def state_of_twilio(site: Site) -> twilio_health_pb2.TwilioState.ValueType:
    """Return how Twilio stands to the service."""
    request = telephony_service_pb2.GetTwilioHealthRequest()
    state: twilio_health_pb2.TwilioState.ValueType = (
        await site.ask("telephony").GetTwilioHealth(request)
    ).health.state
    return state


async def require_trouble(site: Site, customer: Customer) -> None:
    """Let the service notice, by the calls that it makes."""

    async def look() -> twilio_health_pb2.TwilioState.ValueType:
        # In trouble it waits for Twilio, and that may take long.
        with suppress(grpc.aio.AioRpcError):
            await reconcile(site, customer, seconds_max=0.3)
        return await state_of_twilio(site)

    await eventually(look, lambda state: state != twilio_health_pb2.TWILIO_STATE_OK)


async def require_recovery(site: Site) -> None:
    """Wait until a probe has gone well."""
    await eventually(
        lambda: state_of_twilio(site), lambda state: state == twilio_health_pb2.TWILIO_STATE_OK
    )


def failing(fault: Fault) -> Make:
    """Return that no call goes well."""

    @asynccontextmanager
    async def make(site: Site, customer: Customer) -> AsyncIterator[Situation]:
        twilio = site.stack.twilio
        twilio.fail(fault)

        async def mend() -> None:
            twilio.heal()
            await require_recovery(site)

        try:
            await require_trouble(site, customer)
            yield Situation(ends_by=mend)
        finally:
            await mend()

    return make


@asynccontextmanager
async def suspended(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """The platform has not paid Twilio."""
    twilio = site.stack.twilio
    twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED)

    async def pay() -> None:
        twilio.set_status(TWILIO_SID, AccountStatus.ACTIVE)
        await require_recovery(site)

    try:
        await require_trouble(site, customer)
        yield Situation(ends_by=pay)
    finally:
        await pay()


def state_of(make: Make, code: str) -> State:
    """Return what the console finds then, for one and for all."""
    return State(
        make, finding=code, shows=code.replace("TWILIO_", "TWILIO_STATE_"), alert=code, looks=True
    )


STATES = {
    "twilio-unavailable": state_of(failing(Unavailable()), "TWILIO_UNAVAILABLE"),
    "twilio-credentials-refused": state_of(
        failing(Refusal("20003", 401)), "TWILIO_CREDENTIALS_REFUSED"
    ),
    "twilio-parent-suspended": state_of(suspended, "TWILIO_PARENT_SUSPENDED"),
    "emergency-1-twilio-suspends-or-refuses-everybody": State(suspended, looks=True),
}
