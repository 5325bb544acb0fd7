"""Subaccounts that do not stand at Twilio as they should."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dev.simulators.faults import Refusal
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.rules import Rules
from tests.support.errors import refusal
from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State, only
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2

# An amount of time that no rule bears.
BACKDATE = """
UPDATE subaccounts SET drift_time = drift_time - interval '1 hour',
    failing_time = failing_time - interval '1 hour',
    aftermath_failing_time = aftermath_failing_time - interval '1 hour'
WHERE account_sid = $1
"""


# Time goes by.
DUE = "UPDATE subaccounts SET aftermath_due_time = now() WHERE account_sid = $1"


async def reconcile(site: Site, customer: Customer, seconds_max: float | None = None) -> None:
    """Have Twilio asked now."""
    request = telephony_service_pb2.ReconcileSubaccountsRequest(
        organization_id=customer.organization_id
    )
    await site.ask("telephony").ReconcileSubaccounts(request, timeout=seconds_max)


async def subaccount_of(site: Site, customer: Customer) -> subaccount_pb2.Subaccount:
    """Return the customer's subaccount."""
    request = telephony_service_pb2.GetSubaccountRequest(account_sid=customer.account_sid)
    found: subaccount_pb2.Subaccount = (
        await site.ask("telephony").GetSubaccount(request)
    ).subaccount
    return found


async def block(site: Site, customer: Customer) -> None:
    """Let an operator suspend them."""
    await site.ask("telephony").SuspendSubaccounts(
        telephony_service_pb2.SuspendSubaccountsRequest(
            organization_id=customer.organization_id, note="complaints"
        )
    )


async def lift(site: Site, customer: Customer) -> None:
    """Let the operator lift that, and Twilio have done it."""
    await site.ask("telephony").ReactivateSubaccounts(
        telephony_service_pb2.ReactivateSubaccountsRequest(organization_id=customer.organization_id)
    )
    await require(site, customer, subaccount_pb2.OBSERVED_STATE_ACTIVE)


async def require(site: Site, customer: Customer, observed: int) -> None:
    """Wait until it is seen to stand so."""
    await eventually(lambda: subaccount_of(site, customer), lambda it: it.observed == observed)


@asynccontextmanager
async def blocked(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has suspended them."""
    await block(site, customer)
    await require(site, customer, subaccount_pb2.OBSERVED_STATE_SUSPENDED)
    yield Situation()


@asynccontextmanager
async def unsuspended(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Twilio refuses to suspend what must be suspended, and then no more."""
    twilio, sid = site.stack.twilio, customer.account_sid
    twilio.fail(Refusal("20500", 500), sid, operation="update_account")
    await block(site, customer)
    await eventually(lambda: subaccount_of(site, customer), lambda it: it.last_error != "")
    await site.tamper("telephony", BACKDATE, sid)

    async def mend() -> None:
        twilio.heal(sid, "update_account")

    try:
        yield Situation(
            before_step=mend, before={0: mend, 1: mend}, tidy=lambda: lift(site, customer)
        )
    finally:
        await mend()


@asynccontextmanager
async def drifted(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Twilio itself has suspended one, and lifts that when it is called."""
    twilio, sid = site.stack.twilio, customer.account_sid
    twilio.set_status(sid, AccountStatus.SUSPENDED, by_twilio=True)
    await reconcile(site, customer)
    await eventually(lambda: subaccount_of(site, customer), lambda it: it.last_error != "")
    await site.tamper("telephony", BACKDATE, sid)

    async def mend() -> None:
        twilio.set_status(sid, AccountStatus.ACTIVE)

    yield Situation(before_step=mend, before={1: mend})


@asynccontextmanager
async def closed(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """One of two is closed at Twilio, which Twilio undoes."""
    twilio, sid = site.stack.twilio, customer.account_sid
    await site.register(customer.with_account(f"AC{next(site.numbers):032x}"))
    twilio.set_status(sid, AccountStatus.CLOSED)
    await reconcile(site, customer)
    await require(site, customer, subaccount_pb2.OBSERVED_STATE_CLOSED)

    async def undo() -> None:
        twilio.set_status(sid, AccountStatus.ACTIVE)

    yield Situation(before_step=undo, before={0: undo})


@asynccontextmanager
async def missing(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Nobody has registered one."""
    await site.link(customer)
    await site.tell()
    yield Situation(ends_by=lambda: site.register(customer))


@asynccontextmanager
async def calls_go_on(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """It is suspended, and Twilio refuses to end a call in it."""
    twilio, sid = site.stack.twilio, customer.account_sid
    twilio.set_rules(Rules(updates_while_suspended=False))
    twilio.receive_call(sid, "+15550100", "+15550101")
    await block(site, customer)
    await eventually(
        lambda: subaccount_of(site, customer), lambda it: it.aftermath.HasField("failing_time")
    )
    await site.tamper("telephony", BACKDATE, sid)

    async def mend() -> None:
        twilio.set_rules(Rules())
        await site.tamper("telephony", DUE, sid)

    try:
        yield Situation(ends_by=mend, tidy=lambda: lift(site, customer))
    finally:
        twilio.set_rules(Rules())


async def provision(site: Site, customer: Customer) -> object:
    """Let the platform ask for one more."""
    return await site.ask("telephony", "platform").ProvisionSubaccount(
        telephony_service_pb2.ProvisionSubaccountRequest(
            organization_id=customer.organization_id,
            friendly_name="Acme",
            reference_id=f"wish-of-{customer.organization_id}",
        )
    )


@asynccontextmanager
async def not_made(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Twilio makes no more subaccounts, until it has raised its limit."""
    twilio = site.stack.twilio
    twilio.fail(Refusal("21480", 400), operation="create_account")
    await refusal(provision(site, customer))
    await site.tamper(
        "telephony", "UPDATE provisions SET failing_time = failing_time - interval '2 hours'"
    )

    async def raise_limit() -> None:
        twilio.heal(operation="create_account")
        await provision(site, customer)

    try:
        yield Situation(ends_by=raise_limit)
    finally:
        twilio.heal(operation="create_account")


@asynccontextmanager
async def made_twice(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """One that was asked for was made twice."""
    await provision(site, customer)
    await site.tamper(
        "telephony",
        "UPDATE provisions SET double_account_sids = ARRAY[$2] WHERE organization_id = $1",
        customer.organization_id,
        f"AC{next(site.numbers):032x}",
    )
    yield Situation()


STATES = {
    "scenario-4-a-subaccount-is-not-suspended": State(unsuspended),
    "subaccounts-blocked": State(blocked, finding="SUBACCOUNTS_BLOCKED"),
    "subaccount-unsuspended": State(
        unsuspended,
        finding="SUBACCOUNT_UNSUSPENDED",
        alert="SUBACCOUNT_UNSUSPENDED",
        left=only("SUBACCOUNT_UNSUSPENDED"),
    ),
    "subaccount-drifted": State(drifted, finding="SUBACCOUNT_DRIFTED", alert="SUBACCOUNT_FAILING"),
    "subaccount-closed": State(closed, finding="SUBACCOUNT_CLOSED"),
    "subaccount-missing": State(
        missing,
        finding="SUBACCOUNT_MISSING",
        shows="{",
        left=only("SUBACCOUNT_MISSING"),
        sends=False,
        looks=True,
    ),
    "provision-failing": State(not_made, alert="PROVISION_FAILING", looks=True),
    "twilio-double-accounts": State(made_twice),
    "aftermath-failing": State(
        calls_go_on, alert="AFTERMATH_FAILING", looks=True, left=only("AFTERMATH_FAILING")
    ),
}
