"""Certificates and authorities are replaced while calls go on, and not one good call fails."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import grpc

from dev.certificates import Signer, Wanted, make_authority, to_pem, write_identity
from dev.stack.certificates import HOSTS, directory_of, subject_of
from dev.stack.stack import is_serving
from libs.rpc.channel import open_channel, open_renewed_channel
from libs.rpc.credentials import AUTHORITIES_FILE, Certificates, WatchedCertificates
from tests.support.certificates import certificates_with, read_signer
from tests.support.doors import Door
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.wallet.v1 import wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

CALLERS = 4
ROLES = ("wallet", "sender")


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


def believe(certificates: Path, authorities: Iterable[Signer]) -> None:
    """Let the wallet and its caller believe these."""
    content = b"".join(to_pem(each.certificate) for each in authorities)
    for role in ROLES:
        (directory_of(role, certificates) / AUTHORITIES_FILE).write_bytes(content)


def sign_anew(certificates: Path, signer: Signer, authorities: Iterable[Signer]) -> None:
    """Give the wallet and its caller certificates of an authority."""
    for role, hosts in zip(ROLES, (HOSTS, ()), strict=True):
        wanted = Wanted(role, subject_of(role), hosts)
        write_identity(directory_of(role, certificates), signer, wanted, datetime.now(UTC))
    believe(certificates, authorities)


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


async def test_an_authority_is_replaced_under_load(proven_stack: Stack, wallet: Door) -> None:
    await begin(wallet)
    certificates = wallet.certificates_directory
    old, new = read_signer(certificates), make_authority("the next one", datetime.now(UTC))
    both = b"".join(to_pem(each.certificate) for each in (old, new))
    by_old, by_new = (certificates_with(each, believes=both) for each in (old, new))
    watched = WatchedCertificates(directory_of("sender", certificates))
    channel = open_renewed_channel(wallet.address, watched)
    load = Load(WalletServiceStub(channel))

    async def lets_in(somebody: Certificates) -> bool:
        async with open_channel(wallet.address, somebody) as fresh:
            return await is_serving(fresh)

    async def shows_the_new_one() -> bool:
        """Tell whether both ends do, each to the other."""
        by_server = await lets_in(replace(by_new, authorities=to_pem(new.certificate)))
        newest = wallet.certificates("sender").certificate
        return by_server and watched.current.certificate == newest

    async with load.going_on():
        await load.as_many_again()
        believe(certificates, [old, new])
        await eventually(partial(lets_in, by_new), bool)
        await load.as_many_again()
        sign_anew(certificates, new, [old, new])
        await eventually(shows_the_new_one, bool)
        await load.as_many_again()
        believe(certificates, [new])
        await eventually(partial(lets_in, by_old), lambda is_in: not is_in)
        await load.as_many_again()
    assert load.failures == []
    # Whoever connects now shows what is believed now.
    await proven_stack.stop("wallet")
    await proven_stack.start("wallet")
    await WalletServiceStub(channel).Debit(debit("after-all"), wait_for_ready=True, timeout=10.0)
    await channel.close()
