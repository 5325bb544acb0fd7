"""What is looked through now and then: all is well, but for what people have done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State
from tests.support.runbook.states.campaigns import paused_by_hand
from tests.support.runbook.states.subaccounts import reconcile
from tests.support.runbook.states.wallets import frozen, owing, unfreeze, wallet_of
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

TWICE_MICROS = 5_000_000


@asynccontextmanager
async def well(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Nothing is wrong."""
    yield Situation()


@asynccontextmanager
async def frozen_for_a_while(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has frozen the wallet, and lifts that."""
    async with frozen(site, customer):
        yield Situation(ends_by=lambda: unfreeze(site, customer))


async def adjust(site: Site, customer: Customer, delta_micros: int) -> None:
    """Let an operator correct a balance."""
    await site.ask("wallet").AdjustBalance(
        wallet_service_pb2.AdjustBalanceRequest(
            organization_id=customer.organization_id,
            delta_micros=delta_micros,
            currency_code="USD",
            reference_id=f"correction-{next(site.numbers)}",
            justification="goodwill",
        )
    )


@asynccontextmanager
async def credited_twice(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A backend has given the same money twice, each time with another reference."""
    before = (await wallet_of(site, customer)).balance_micros
    for reference_id in ("invoice-1a", "invoice-1b"):
        await site.ask("wallet", "platform").Credit(
            wallet_service_pb2.CreditRequest(
                organization_id=customer.organization_id,
                amount_micros=TWICE_MICROS,
                currency_code="USD",
                reference_id=reference_id,
                type=wallet_service_pb2.CREDIT_TYPE_TOP_UP,
            )
        )
    yield Situation()
    assert (await wallet_of(site, customer)).balance_micros == before + TWICE_MICROS


@asynccontextmanager
async def some_owe(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody owes, and is frozen as well."""
    async with owing(site, customer) as debt, frozen(site, customer):

        async def settle() -> None:
            await debt.ends_by()
            await unfreeze(site, customer)

        yield Situation(ends_by=settle)


@asynccontextmanager
async def some_was_given(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A backend has given money that no provider's payment stands behind."""
    await site.pay_in(customer, TWICE_MICROS)
    yield Situation()


@asynccontextmanager
async def people_acted(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has corrected, paused, and asked Twilio."""
    await adjust(site, customer, TWICE_MICROS)
    await reconcile(site, customer)
    request = campaign_service_pb2.ResumeCampaignRequest(campaign_id=customer.campaign_id)
    async with paused_by_hand(site, customer):
        yield Situation(ends_by=lambda: site.ask("campaign").ResumeCampaign(request))


STATES = {
    "get-in": State(well),
    "health-check": State(well),
    "start-here": State(frozen_for_a_while, looks=True),
    "scenario-5-a-duplicate-credit": State(credited_twice),
    "daily": State(some_owe, looks=True),
    "weekly": State(some_was_given),
    "monthly": State(people_acted, looks=True),
    "logs": State(well),
}
