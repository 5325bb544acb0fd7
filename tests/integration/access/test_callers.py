"""Who is proven to call is written down as who acts, may be refused, and calls only so often."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.certificates import Wanted, make_certificates
from dev.stack.certificates import directory_of
from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates
from libs.rpc.refused import REFUSED_FILE
from services.wallet.app import build
from tests.conftest import MakeDatabase
from tests.integration.wallet.conftest import wallet_settings
from tests.support.doors import Door
from tests.support.errors import Refusal, read_refusal, refusal
from tests.support.services import free_address
from tests.support.waiting import eventually
from tollgate.wallet.v1 import wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2 import GetWalletRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ORGANIZATION = "org-1"
GET_WALLET = GetWalletRequest(organization_id=ORGANIZATION)


def adjustment(reference_id: str, actor: str) -> wallet_service_pb2.AdjustBalanceRequest:
    return wallet_service_pb2.AdjustBalanceRequest(
        organization_id=ORGANIZATION,
        delta_micros=1_000_000,
        currency_code="USD",
        reference_id=reference_id,
        justification="a test",
        actor=actor,
    )


@pytest.fixture
async def operator(wallet: Door) -> AsyncIterator[WalletServiceStub]:
    """Ann, an operator, at a wallet that is open."""
    make_certificates(wallet.certificates_directory, [Wanted("operator", "ann")])
    ann = read_certificates(wallet.certificates_directory / "operator" / "ann")
    async with wallet.open("platform") as channel:
        await WalletServiceStub(channel).CreateWallet(
            wallet_service_pb2.CreateWalletRequest(
                organization_id=ORGANIZATION, currency_code="USD"
            )
        )
    async with open_channel(wallet.address, ann) as channel:
        yield WalletServiceStub(channel)


async def test_the_actor_is_who_is_proven_to_call(operator: WalletServiceStub) -> None:
    for reference_id, actor in (("fix-1", ""), ("fix-2", "ann")):
        answer = await operator.AdjustBalance(adjustment(reference_id, actor))
        assert answer.entries[0].actor == "ann"


async def test_nobody_acts_in_anothers_name(operator: WalletServiceStub) -> None:
    found = await refusal(operator.AdjustBalance(adjustment("fix-1", "bob")))
    assert found.code is grpc.StatusCode.INVALID_ARGUMENT
    assert found.fields == ["actor"]
    assert (await operator.GetWallet(GET_WALLET)).wallet.balance_micros == 0


async def test_who_is_refused_is_kept_out_of_open_connections_too(wallet: Door) -> None:
    refused = directory_of("wallet", wallet.certificates_directory) / REFUSED_FILE

    async def answer(stub: WalletServiceStub) -> str:
        return (await refusal(stub.GetWallet(GET_WALLET))).reason

    async with wallet.open("sender") as stolen, wallet.open("operator") as other:
        sender, operator = WalletServiceStub(stolen), WalletServiceStub(other)
        assert await answer(sender) == "WALLET_NOT_FOUND"
        # A slip of the pen lets nobody in again, and keeps out nobody else.
        refused.write_text("Sender/web-1\nsender/dev  # stolen\n")
        await eventually(lambda: answer(sender), lambda reason: reason == "UNAUTHENTICATED")
        assert await answer(operator) == "WALLET_NOT_FOUND"
        refused.unlink()
        await eventually(lambda: answer(sender), lambda reason: reason == "WALLET_NOT_FOUND")


async def test_each_caller_has_a_rate_of_its_own(
    make_database: MakeDatabase, certificates: Path
) -> None:
    door = Door(free_address(), certificates)
    settings = wallet_settings(
        await make_database("wallet"),
        listen_address=door.address,
        plaintext=False,
        tls_directory=directory_of("wallet", certificates),
        caller_calls_per_second_max=5.0,
    )
    service = await build(settings)
    await service.start()
    try:
        async with door.open("sender") as many, door.open("operator") as one:
            calls = (WalletServiceStub(many).GetWallet(GET_WALLET) for _ in range(50))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            found = [_read(each) for each in answers]
            other = await refusal(WalletServiceStub(one).GetWallet(GET_WALLET))
            health = health_pb2_grpc.HealthStub(one)
            checks = (health.Check(health_pb2.HealthCheckRequest()) for _ in range(50))
            checked = await asyncio.gather(*checks, return_exceptions=True)
    finally:
        await service.stop()
    let_in = [each for each in found if each.reason == "WALLET_NOT_FOUND"]
    refused = [each for each in found if each.reason == "OVERLOADED"]
    assert len(let_in) + len(refused) == len(found)
    assert 5 <= len(let_in) < len(refused)
    assert all(each.retry_seconds for each in refused)
    assert other.reason == "WALLET_NOT_FOUND"
    assert "OVERLOADED" in {_read(each).reason for each in checked if isinstance(each, Exception)}


def _read(answer: object) -> Refusal:
    assert isinstance(answer, grpc.aio.AioRpcError)
    return read_refusal(answer)
