"""Requests to the wallet, with what a test does not care for filled in."""

import asyncio
from datetime import datetime

from libs.rpc.times import to_timestamp
from tests.support.errors import refusal
from tollgate.billing_gateway.v1 import subscription_observer_service_pb2, subscription_pb2
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ORGANIZATION = "org-1"


async def open_wallet(wallet: WalletServiceStub, organization_id: str = ORGANIZATION) -> None:
    """Open a wallet in dollars."""
    await wallet.CreateWallet(create(organization_id))


def create(organization_id: str = ORGANIZATION) -> wallet_service_pb2.CreateWalletRequest:
    """Ask for a wallet in dollars."""
    return wallet_service_pb2.CreateWalletRequest(
        organization_id=organization_id, currency_code="USD"
    )


def credit(
    amount_micros: int, reference_id: str, organization_id: str = ORGANIZATION
) -> wallet_service_pb2.CreditRequest:
    """Ask for a top-up."""
    return wallet_service_pb2.CreditRequest(
        organization_id=organization_id,
        amount_micros=amount_micros,
        currency_code="USD",
        reference_id=reference_id,
        type=wallet_service_pb2.CREDIT_TYPE_TOP_UP,
    )


def debit(
    amount_micros: int, reference_id: str, organization_id: str = ORGANIZATION
) -> wallet_service_pb2.DebitRequest:
    """Ask to spend."""
    return wallet_service_pb2.DebitRequest(
        organization_id=organization_id,
        amount_micros=amount_micros,
        currency_code="USD",
        reference_id=reference_id,
    )


def many_debits(
    name: str, count: int, organization_id: str = ORGANIZATION
) -> wallet_service_pb2.BatchDebitRequest:
    """Ask to spend many times."""
    debits = [debit(1, f"{name}-{number}", organization_id) for number in range(count)]
    return wallet_service_pb2.BatchDebitRequest(debits=debits)


async def fill_queue(
    wallet: WalletServiceStub, organization_id: str, count: int
) -> "asyncio.Future[wallet_service_pb2.BatchDebitResponse]":
    """Let so many debits wait for a wallet that has no room for twice as many; return their call.

    Of two calls, whichever comes second is refused.
    """
    requests = [many_debits(name, count, organization_id) for name in ("one", "other")]
    calls = [asyncio.ensure_future(wallet.BatchDebit(request)) for request in requests]
    (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    assert (await refusal(refused)).reason == "OVERLOADED"
    return waiting


def freeze(reference_id: str = "") -> wallet_service_pb2.FreezeWalletRequest:
    """Ask for a dispute's freeze."""
    return wallet_service_pb2.FreezeWalletRequest(
        organization_id=ORGANIZATION,
        reason=wallet_pb2.FREEZE_REASON_DISPUTE,
        reference_id=reference_id,
        note="chargeback",
        actor="anna@example.com",
    )


def unfreeze(reference_id: str = "") -> wallet_service_pb2.UnfreezeWalletRequest:
    """Ask to lift a dispute's freeze."""
    return wallet_service_pb2.UnfreezeWalletRequest(
        organization_id=ORGANIZATION,
        reason=wallet_pb2.FREEZE_REASON_DISPUTE,
        reference_id=reference_id,
        actor="anna@example.com",
    )


def standing(
    revision: int, good_until: datetime | None, organization_id: str = ORGANIZATION
) -> subscription_observer_service_pb2.ReportSubscriptionRequest:
    """Report a subscription: good until then, or not at all."""
    good = good_until is not None
    return subscription_observer_service_pb2.ReportSubscriptionRequest(
        organization_id=organization_id,
        revision=revision,
        state=subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
        if good
        else subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE,
        good_standing=good,
        good_until=to_timestamp(good_until),
    )


async def wallet_now(wallet: WalletServiceStub) -> wallet_pb2.Wallet:
    """Return the wallet."""
    request = wallet_service_pb2.GetWalletRequest(organization_id=ORGANIZATION)
    return (await wallet.GetWallet(request)).wallet


async def entries_of(wallet: WalletServiceStub, **wanted: object) -> list[wallet_pb2.Entry]:
    """Return the entries, newest first."""
    request = wallet_service_pb2.ListEntriesRequest(
        organization_id=ORGANIZATION,
        **wanted,  # type: ignore[arg-type]
    )
    return list((await wallet.ListEntries(request)).entries)
