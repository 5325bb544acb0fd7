"""The first commands of an organization, of which nothing is there yet."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import grpc

from services.wallet.operations.engine import LANES_MAX
from tests.integration.wallet.ledgers import payment
from tests.integration.wallet.requests import create, credit, debit, open_wallet, standing
from tests.support.databases import ServiceDatabase
from tests.support.errors import read_refusal, refusal
from tests.support.locks import lock_waits
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1.wallet_service_pb2 import DebitRequest, GetWalletRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ROUNDS = 100
KNOCKER_COUNT = 4
FREE = "org-free"


async def outcome_of(wallet: WalletServiceStub, request: DebitRequest) -> str:
    """Debit; return OK or the reason of the refusal."""
    try:
        await wallet.Debit(request)
    except grpc.aio.AioRpcError as error:
        return read_refusal(error).reason
    return "OK"


async def test_whoever_may_be_first_never_hears_that_there_is_no_wallet(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> None:
    """Others ask for the wallet all the time, and their debits are under way in every moment."""
    for number in range(ROUNDS):
        name = f"org-{number}"
        knockers = [Knocker(wallet, debit(1, f"d-{n}", name)) for n in range(KNOCKER_COUNT)]
        knocking = [asyncio.ensure_future(knocker.knock()) for knocker in knockers]
        for knocker in knockers[: number % KNOCKER_COUNT]:
            await knocker.turned_away.wait()
        _, paid, observed = await asyncio.gather(
            wallet.CreateWallet(create(name)),
            wallet.ApplyPayment(payment(1, 70, organization_id=name)),
            subscriptions.ReportSubscription(standing(1, None, name)),
        )
        assert paid.stored_revision == observed.stored_revision == 1
        outcomes = await asyncio.gather(*knocking)
        assert set(outcomes) <= {"OK", "INSUFFICIENT_FUNDS", "WALLET_FROZEN"}
        found = (await wallet.GetWallet(GetWalletRequest(organization_id=name))).wallet
        assert found.frozen
        assert found.balance_micros == 70 - outcomes.count("OK")


class Knocker:
    """Debits again and again, until there is a wallet."""

    def __init__(self, wallet: WalletServiceStub, request: DebitRequest) -> None:
        self.turned_away = asyncio.Event()
        self._wallet = wallet
        self._request = request

    async def knock(self) -> str:
        """Return OK or the reason of the refusal."""
        while (reason := await outcome_of(self._wallet, self._request)) == "WALLET_NOT_FOUND":
            self.turned_away.set()
        return reason


@asynccontextmanager
async def rows_being_made(
    database: ServiceDatabase, organization_ids: Sequence[str]
) -> AsyncIterator[None]:
    """Make the rows of wallets in a transaction that stalls, and is taken back in the end."""
    connection = await asyncpg.connect(database.superuser_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(
            "INSERT INTO wallets (organization_id, create_time, update_time) "
            "SELECT unnest($1::text[]), now(), now()",
            organization_ids,
        )
        yield
        await transaction.rollback()
    finally:
        await connection.close()


async def test_who_waits_for_a_wallet_that_is_being_made_holds_up_nobody_else(
    wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    await open_wallet(wallet, FREE)
    await wallet.Credit(credit(1_000, "in", FREE))
    new = [f"org-{number}" for number in range(2 * LANES_MAX)]
    async with rows_being_made(database, new):
        requests = [create(name) for name in new]
        waiting = [asyncio.ensure_future(wallet.CreateWallet(request)) for request in requests]
        await eventually(lambda: lock_waits(database), lambda count: count == LANES_MAX)
        for number in range(50):
            await wallet.Debit(debit(1, f"msg-{number}", FREE), timeout=2.0)
    for answer in await asyncio.gather(*waiting):
        assert answer.wallet.currency_code == "USD"


async def test_an_organization_all_of_whose_first_commands_are_refused_stays_unknown(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    impossible = payment(1, 70, reversed_micros=71)
    in_euro = payment(1, 70)
    in_euro.currency_code = "EUR"
    assert (await refusal(wallet.ApplyPayment(impossible))).reason == "INVALID_ARGUMENT"
    assert (await refusal(wallet.ApplyPayment(in_euro))).reason == "WALLET_NOT_FOUND"
    assert await superuser.fetchval("SELECT count(*) FROM wallets") == 0
