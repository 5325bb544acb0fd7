"""Wallets that nothing can be spent from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr

from tests.support.errors import refusal
from tests.support.runbook.site import PAID_MICROS, Customer, Site
from tests.support.runbook.situation import Situation, State, only
from tests.support.services import WALLET_DEFAULTS
from tests.support.waiting import eventually
from tollgate.wallet.v1 import (
    wallet_pb2,
    wallet_service_holds_pb2,
    wallet_service_ledger_pb2,
    wallet_service_pb2,
)

# So many wallets whose seals are strange say more about the keys than about the wallets.
KEYS_DOUBTED_FROM = 5


async def wallet_of(site: Site, customer: Customer) -> wallet_pb2.Wallet:
    """Return the customer's wallet."""
    request = wallet_service_pb2.GetWalletRequest(organization_id=customer.organization_id)
    wallet: wallet_pb2.Wallet = (await site.ask("wallet").GetWallet(request)).wallet
    return wallet


async def spend_all(site: Site, customer: Customer) -> None:
    """Let a sender spend what is there."""
    if balance := (await wallet_of(site, customer)).balance_micros:
        await site.spend(customer, balance)


async def freeze(site: Site, customer: Customer) -> None:
    """Let an operator freeze the wallet."""
    await site.ask("wallet").FreezeWallet(
        wallet_service_pb2.FreezeWalletRequest(
            organization_id=customer.organization_id,
            reason=wallet_pb2.FREEZE_REASON_OPERATOR,
            note="fraud?",
        )
    )


async def unfreeze(site: Site, customer: Customer) -> None:
    """Let an operator lift that."""
    await site.ask("wallet").UnfreezeWallet(
        wallet_service_pb2.UnfreezeWalletRequest(
            organization_id=customer.organization_id, reason=wallet_pb2.FREEZE_REASON_OPERATOR
        )
    )


@asynccontextmanager
async def depleted(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """All is spent."""
    await spend_all(site, customer)
    yield Situation(ends_by=lambda: site.pay_in(customer, PAID_MICROS))


@asynccontextmanager
async def held(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """All is held for a message under way."""
    sender, name = site.ask("wallet", "sender"), f"hold-{next(site.numbers)}"
    await sender.PlaceHold(
        wallet_service_holds_pb2.PlaceHoldRequest(
            organization_id=customer.organization_id,
            amount_micros=(await wallet_of(site, customer)).available_micros,
            currency_code="USD",
            reference_id=name,
            ttl=Duration(seconds=3_600),
        )
    )
    release = wallet_service_holds_pb2.ReleaseHoldRequest(
        organization_id=customer.organization_id, hold_reference_id=name
    )
    yield Situation(ends_by=lambda: sender.ReleaseHold(release))


@asynccontextmanager
async def frozen(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has frozen it."""
    await freeze(site, customer)
    yield Situation()


@asynccontextmanager
async def frozen_long(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has frozen it, and forgotten that."""
    await freeze(site, customer)
    await site.tamper(
        "wallet",
        "UPDATE wallets SET freezes = jsonb_set(freezes, '{0,create_time}',"
        " to_jsonb(now() - interval '8 days')) WHERE organization_id = $1",
        customer.organization_id,
    )
    yield Situation(ends_by=lambda: unfreeze(site, customer))


@asynccontextmanager
async def owing(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """What was paid is given back by the provider when it is spent."""
    debtor = await another_payment(site, customer)
    await spend_all(site, customer)
    site.stripe.account.refund(debtor)
    await site.tell()

    async def wallet() -> wallet_pb2.Wallet:
        return await wallet_of(site, customer)

    await eventually(wallet, lambda it: it.owed_micros == PAID_MICROS)

    async def pay() -> None:
        await site.pay_in(customer, 2 * PAID_MICROS)

    yield Situation(ends_by=pay, tidy=pay)


@asynccontextmanager
async def disputed(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """The issuer of the card that paid suspects fraud."""
    account = site.stripe.account
    intent_id = await another_payment(site, customer)
    account.warn(intent_id)
    await site.tell()

    async def wallet() -> wallet_pb2.Wallet:
        return await wallet_of(site, customer)

    await eventually(wallet, lambda it: it.frozen)

    async def win() -> None:
        account.close_dispute(account.open_dispute(intent_id), "won")
        await site.tell()

    yield Situation(words={"in_1": account.intent(intent_id).invoice_id}, ends_by=win)


async def another_payment(site: Site, customer: Customer) -> str:
    """Let the next period be paid; return the payment at Stripe."""
    account = site.stripe.account
    before = (await wallet_of(site, customer)).balance_micros
    invoice = account.invoice(account.renew(customer.subscription_id))
    await site.tell()

    async def wallet() -> wallet_pb2.Wallet:
        return await wallet_of(site, customer)

    await eventually(wallet, lambda it: it.balance_micros > before)
    return invoice.intent_id


@asynccontextmanager
async def tampered(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody has written a higher balance into the database."""
    await site.tamper(
        "wallet",
        "UPDATE wallets SET balance_micros = balance_micros + 1000000 WHERE organization_id = $1",
        customer.organization_id,
    )

    async def wallet() -> wallet_pb2.Wallet:
        return await wallet_of(site, customer)

    await eventually(wallet, lambda it: it.frozen)

    async def repair() -> None:
        await site.ask("wallet").RepairWallet(
            wallet_service_ledger_pb2.RepairWalletRequest(
                organization_id=customer.organization_id, justification="edited by hand"
            )
        )

    yield Situation(ends_by=repair)


@asynccontextmanager
async def refused(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A sender goes on though nothing is left."""
    await spend_all(site, customer)
    sender = site.ask("wallet", "sender")
    debits = [
        wallet_service_pb2.DebitRequest(
            organization_id=customer.organization_id,
            amount_micros=7_500,
            currency_code="USD",
            reference_id=f"refused-{next(site.numbers)}",
        )
        for _ in range(120)
    ]
    await sender.BatchDebit(wallet_service_pb2.BatchDebitRequest(debits=debits))
    assert (await refusal(sender.Debit(debits[0]))).reason == "INSUFFICIENT_FUNDS"
    yield Situation(ends_by=lambda: site.pay_in(customer, PAID_MICROS))


@asynccontextmanager
async def unproved(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """No ledger is proved any more, since the wallet was set up so."""
    seconds = site.stack.settings["wallet"]["check_interval_seconds"]
    await restart_with(site, check_interval_seconds=86_400.0)
    yield Situation(ends_by=lambda: restart_with(site, check_interval_seconds=seconds))


@asynccontextmanager
async def sealed_otherwise(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """For a while the wallet had a key that was then taken out of its settings."""
    first, second = WALLET_DEFAULTS["chain_keys"], (SecretStr("another key of a wallet, as long"),)
    await restart_with(site, chain_keys=(*second, *first))
    for number in range(KEYS_DOUBTED_FROM):
        other = site.subscribe(f"sealed-{number}")
        await site.link(other)
        await site.pay_in(other, PAID_MICROS)
    site.tell_nothing()
    await restart_with(site, chain_keys=first)
    yield Situation(ends_by=lambda: restart_with(site, chain_keys=(*first, *second)))


async def restart_with(site: Site, **settings: object) -> None:
    """Let the wallet run with other settings from now on."""
    await site.stack.stop("wallet")
    site.stack.settings["wallet"] = {**site.stack.settings["wallet"], **settings}
    await site.stack.start("wallet")


@asynccontextmanager
async def no_wallet(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """It has subscribed, and its first payment has not been told."""
    await site.link(customer, currency_code="")
    await site.tell("customer.subscription.created")
    yield Situation(ends_by=site.tell)


@asynccontextmanager
async def unknown(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody has mistyped an id."""
    site.tell_nothing()
    yield Situation(ends_by=lambda: site.link(customer))


STATES = {
    "scenario-1-a-customer-cannot-send": State(frozen),
    "scenario-2-a-negative-balance": State(owing, looks=True),
    "wallet-depleted": State(depleted, finding="WALLET_DEPLETED", shows='"payments"', looks=True),
    "funds-held": State(held, finding="FUNDS_HELD", shows='"expire_time"', looks=True),
    "debt-owed": State(
        owing, finding="DEBT_OWED", shows="ENTRY_TYPE_REVERSAL", left=only("DEBT_OWED")
    ),
    "wallet-disputed": State(disputed, finding="WALLET_DISPUTED", shows='"blocks_spending": true'),
    "wallet-frozen-by-operator": State(frozen, finding="WALLET_FROZEN_BY_OPERATOR"),
    "wallet-frozen-long": State(frozen_long, alert="WALLET_FROZEN_LONG", looks=True),
    "ledger-integrity": State(
        tampered,
        finding="LEDGER_INTEGRITY",
        shows="LEDGER_FINDING_KIND_",
        alert="LEDGER_INTEGRITY",
    ),
    "wallet-missing": State(
        no_wallet,
        finding="WALLET_MISSING",
        left=only("WALLET_MISSING"),
        sends=False,
        looks=True,
        shows="{",
    ),
    "organization-unknown": State(
        unknown,
        finding="ORGANIZATION_UNKNOWN",
        shows='"organization_id"',
        left=only("ORGANIZATION_UNKNOWN"),
        sends=False,
        looks=True,
    ),
    "ledger-check-not-running": State(unproved, looks=True),
    "ledger-check-doubts-keys": State(
        sealed_otherwise, alert="LEDGER_CHECK_DOUBTS_KEYS", looks=True
    ),
    "debits-refused": State(refused, alert="DEBITS_REFUSED", alert_lasts=True, looks=True),
}
