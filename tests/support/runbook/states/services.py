"""Services that do not answer, or may not be asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dev.stack.certificates import directory_of, make_all_certificates
from libs.rpc.credentials import CERTIFICATE_FILE
from libs.rpc.refused import REFUSED_FILE
from tests.support.errors import refusal
from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State, anything, only
from tests.support.stack import CONSOLE, SERVICES
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

# One that others tell something, and that is not first in any order.
DOWN = "campaign"
CONSOLES_NAME, WALLETS_NAME = "operator_reader/operator_console", "wallet/wallet"


@asynccontextmanager
async def stopped(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A service has ended."""
    await site.stack.stop(DOWN)

    async def start() -> None:
        if DOWN not in site.stack.running:
            await site.stack.start(DOWN)

    async def start_soon() -> None:
        asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(start()))

    try:
        yield Situation(before_step=start_soon, before={1: start})
    finally:
        await start()


@asynccontextmanager
async def without_database(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """The database of a service is away."""
    door = site.doors[DOWN]
    await door.shut()

    async def open_again() -> None:
        await door.open()

    try:
        await site.reach(customer.organization_id, lambda codes: codes[:1] == ["DATABASE_DOWN"])
        await site.require_health(DOWN, "NOT_SERVING")
        yield Situation(ends_by=open_again)
    finally:
        await open_again()
        await site.require_health(DOWN, "SERVING")


@asynccontextmanager
async def defective(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A release has written what the one that runs does not understand."""
    write = "UPDATE organizations SET subscription_state = $2 WHERE organization_id = $1"
    await site.tamper(DOWN, write, customer.organization_id, "NOT_KNOWN_YET")

    async def mend() -> None:
        await site.tamper(DOWN, write, customer.organization_id, "ACTIVE")

    try:
        await site.diagnose(customer.organization_id)
        yield Situation(ends_by=mend)
    finally:
        await mend()


@asynccontextmanager
async def outdated(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A service was upgraded, and its database was not set up again."""
    rename = "ALTER FUNCTION {}() RENAME TO {}"
    now, before = "list_long_transactions", "list_long_transactions_of_before"
    await site.tamper(DOWN, rename.format(now, before))

    async def set_up() -> None:
        await site.tamper(DOWN, rename.format(before, now))

    yield Situation(ends_by=set_up)


@asynccontextmanager
async def refusing(site: Site, name: str) -> AsyncIterator[Path]:
    """A service believes somebody no longer."""
    file = directory_of(DOWN, site.certificates) / REFUSED_FILE
    file.write_text(name)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


@asynccontextmanager
async def console_refused(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody has written the console down as one who is not to be believed."""
    async with refusing(site, CONSOLES_NAME) as file:

        async def forgive() -> None:
            file.unlink(missing_ok=True)

        await site.reach(customer.organization_id, lambda codes: "ACCESS_REFUSED" in codes)
        yield Situation(ends_by=forgive)
    await eventually(lambda: anything(site, customer), lambda left: not left)


@asynccontextmanager
async def renewed(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A certificate was about to expire, and there is a new one."""
    (directory_of(DOWN, site.certificates) / CERTIFICATE_FILE).unlink()
    make_all_certificates(site.certificates, (*SERVICES, CONSOLE))

    async def told() -> str:
        await site.diagnose(customer.organization_id)
        return (site.logs / "tollgate.log").read_text()

    await eventually(told, lambda it: '"event": "certificates_renewed"' in it)
    yield Situation()


async def limit(site: Site, customer: Customer, depleted_below_micros: int) -> None:
    """Let the platform say from when on a wallet is as good as empty."""
    await site.ask("wallet").UpdateWallet(
        wallet_service_pb2.UpdateWalletRequest(
            organization_id=customer.organization_id,
            depleted_below_micros=depleted_below_micros,
            resume_above_micros=depleted_below_micros,
        )
    )


@asynccontextmanager
async def not_taken(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A service does not believe the wallet any more, and does not know that it is depleted."""
    async with refusing(site, WALLETS_NAME) as file:
        request = campaign_service_pb2.GetCampaignRequest(campaign_id=customer.campaign_id)

        async def reason() -> str:
            return (await refusal(site.ask(DOWN, "wallet").GetCampaign(request))).reason

        await eventually(reason, lambda it: it == "UNAUTHENTICATED")
        await limit(site, customer, 10**12)

        async def pending() -> bool:
            answer = await site.diagnose(customer.organization_id)
            return any(each.last_error for each in answer.seen.announcements)

        await eventually(pending, bool)
        await site.tamper(
            "wallet",
            "UPDATE announcements SET pending_since = pending_since - interval '20 minutes'"
            " WHERE organization_id = $1",
            customer.organization_id,
        )

        async def forgive() -> None:
            file.unlink(missing_ok=True)
            await limit(site, customer, 1)

        yield Situation(ends_by=forgive)


STATES = {
    "service-down": State(stopped, finding="SERVICE_DOWN", alert="SERVICE_DOWN"),
    "database-down": State(
        without_database,
        finding="DATABASE_DOWN",
        shows="NOT_SERVING",
        looks=True,
        alert="DATABASE_DOWN",
    ),
    "service-failing": State(
        defective, finding="SERVICE_FAILING", shows="{", looks=True, left=only("SERVICE_FAILING")
    ),
    "set-up-outdated": State(outdated, finding="SET_UP_OUTDATED", looks=True, shows="SERVING"),
    "access-refused": State(
        console_refused,
        finding="ACCESS_REFUSED",
        looks=True,
        shows="SERVING",
        alert="ACCESS_REFUSED",
    ),
    "certificate-expiring": State(renewed),
    "announcements-stuck": State(
        not_taken,
        finding="ANNOUNCEMENT_PENDING",
        shows='"pending_since_time"',
        looks=True,
        alert="ANNOUNCEMENTS_STUCK",
    ),
}
