"""Debits that go on while something happens to whoever takes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import grpc

from tests.support.doors import Door
from tests.support.waiting import eventually
from tollgate.wallet.v1 import wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

CALLERS = 4


def debit(reference_id: str) -> wallet_service_pb2.DebitRequest:
    return wallet_service_pb2.DebitRequest(
        organization_id="org-1", amount_micros=1, currency_code="USD", reference_id=reference_id
    )


class Load:
    """Debits that go on and on, one after the other for each caller."""

    def __init__(self, wallet: WalletServiceStub) -> None:
        self._wallet = wallet
        self._numbers = count()
        self.done = 0
        self.failures: list[BaseException] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Debit until the end of the block."""
        tasks = [asyncio.create_task(self._debit_on_and_on()) for _ in range(CALLERS)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def as_many_again(self) -> None:
        """Wait until calls have gone on for a while."""
        wanted = self.done + 10 * CALLERS

        async def done() -> int:
            return self.done

        await eventually(done, lambda seen: seen >= wanted or bool(self.failures))

    async def _debit_on_and_on(self) -> None:
        while True:
            try:
                await self._wallet.Debit(debit(f"message-{next(self._numbers)}"))
            except grpc.aio.AioRpcError as error:
                self.failures.append(error)
            self.done += 1


async def begin(door: Door) -> None:
    """Open a wallet with enough in it."""
    async with door.open("platform") as channel:
        platform = WalletServiceStub(channel)
        await platform.CreateWallet(
            wallet_service_pb2.CreateWalletRequest(organization_id="org-1", currency_code="USD")
        )
        await platform.Credit(
            wallet_service_pb2.CreditRequest(
                organization_id="org-1",
                amount_micros=1_000_000_000,
                currency_code="USD",
                reference_id="in-1",
                type=wallet_service_pb2.CREDIT_TYPE_TOP_UP,
            )
        )
