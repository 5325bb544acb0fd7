"""What is too much is refused: early, with the right code, and for nobody else."""

import asyncio
import resource
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import process, service
from libs.rpc import messages
from services.wallet.app import build
from tests.conftest import MakeDatabase
from tests.integration.wallet.conftest import wallet_settings
from tests.support.debits import Load, begin
from tests.support.doors import Door
from tests.support.errors import refusal
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    HEADERS,
    Answer,
    Connection,
    block,
    connected,
    data_frames,
    frame,
    greeted,
    headers_of,
    message,
    request_frames,
)
from tests.support.stack import Stack
from tests.support.waiting import eventually, let_time_pass
from tollgate.campaign.v1.campaign_service_pb2 import WatchCampaignsRequest
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.wallet.v1.wallet_service_pb2 import GetWalletRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

GET_WALLET: Final = "/tollgate.wallet.v1.WalletService/GetWallet"
ADJUST_BALANCE: Final = "/tollgate.wallet.v1.WalletService/AdjustBalance"
REQUEST: Final = GetWalletRequest(organization_id="org-1")
BODY: Final = data_frames(message(REQUEST.SerializeToString()))
INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED = "3", "5", "7", "8"
# By two names, before and after the limit is acknowledged.
REFUSED: Final = (7, 11)
ANSWER_SECONDS: Final = 20.0


def set_options(monkeypatch: pytest.MonkeyPatch, **changes: int) -> None:
    """Let services that start from now on have other limits, named without their `grpc.`."""
    changed = {f"grpc.{name.replace('__', '.')}": value for name, value in changes.items()}
    options = tuple({**dict(service.SERVER_OPTIONS), **changed}.items())
    monkeypatch.setattr(service, "SERVER_OPTIONS", options)


async def answer_of(connection: Connection, *frames: bytes, acknowledges: bool = True) -> Answer:
    """Return what is answered to some frames."""
    await connection.send(*frames)
    return await asyncio.wait_for(connection.answer(acknowledges=acknowledges), ANSWER_SECONDS)


async def call(door: Door, role: str = "sender", path: str = GET_WALLET, *more: bytes) -> Answer:
    """Return how a call is answered whose message has come, or is this."""
    async with greeted(door, role) as connection:
        return await answer_of(connection, request_frames(headers_of(path)), *(more or (BODY,)))


async def test_metadata_beyond_the_limit_is_refused(wallet: Door) -> None:
    async with wallet.open("sender") as channel:
        get_wallet: Any = WalletServiceStub(channel).GetWallet
        for size, code in ((7_000, "NOT_FOUND"), (9_000, "RESOURCE_EXHAUSTED")) * 2:
            found = await refusal(get_wallet(REQUEST, metadata=(("x", "a" * size),)))
            assert found.code is grpc.StatusCode[code]


async def test_who_has_not_acknowledged_the_limit_is_held_to_it_too(wallet: Door) -> None:
    # One entry of 4 KB and a thousand references to it: 5 KB that unfold into 4 MB.
    unfolding = b"\x40\x01x" + block([(b"", b"a" * 4_000)])[2:] + b"\xbe" * 1_000
    headers = frame(HEADERS, END_HEADERS, 1, block(headers_of(GET_WALLET)) + unfolding)

    async def status_for(role: str) -> str:
        return (await call(wallet, role)).status

    while True:
        async with greeted(wallet) as connection:
            answer = await answer_of(connection, headers, BODY, acknowledges=False)
        # gRPC refuses some of them by chance, and says so in other words.
        assert answer.status == RESOURCE_EXHAUSTED
        if answer.text == "metadata of more than 8192 bytes":
            break
    # Nothing more of theirs is read for a while; others are served meanwhile, and they in the end.
    assert await status_for("operator") == NOT_FOUND
    assert await status_for("sender") == RESOURCE_EXHAUSTED
    await eventually(partial(status_for, "sender"), lambda status: status == NOT_FOUND)


async def test_messages_beyond_the_limit_are_refused(wallet: Door) -> None:
    async with wallet.open("sender") as channel:
        rpc: Any = channel.unary_unary(GET_WALLET)
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            for size, code in (
                (4 * 1024 * 1024, "INVALID_ARGUMENT"),
                (5_000_000, "RESOURCE_EXHAUSTED"),
            ):
                found = await refusal(rpc(bytes(size), compression=compression))
                assert found.code is grpc.StatusCode[code]


async def test_who_may_not_call_is_refused_before_the_message_has_come(wallet: Door) -> None:
    async with greeted(wallet, "sender") as connection:
        answer = await answer_of(connection, request_frames(headers_of(ADJUST_BALANCE)))
    assert answer.status == PERMISSION_DENIED


async def test_a_message_has_its_time_to_come(
    wallet: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MESSAGE_SECONDS_MAX", 0.2)
    for begun in (b"", frame(DATA, 0, 1, message(b"", 0, 1000))):
        answer = await call(wallet, "sender", GET_WALLET, begun)
        assert (answer.status, answer.text) == (INVALID_ARGUMENT, "request: has not come in 0.2 s")


async def test_a_connection_has_so_many_calls_at_once(wallet: Door) -> None:
    async with greeted(wallet) as connection:
        calls = [request_frames(headers_of(GET_WALLET), 2 * number + 1) for number in range(1002)]
        # One of a thousand ends, so that there is room for one more, and for no other.
        assert (await answer_of(connection, *calls[:1000], BODY)).status == NOT_FOUND
        assert (await answer_of(connection, *calls[1000:])).reset in REFUSED
    assert (await call(wallet)).status == NOT_FOUND


async def test_who_acknowledges_no_settings_is_hung_up_on(
    proven_stack: Stack, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_options(monkeypatch, http2__settings_timeout=200)
    await proven_stack.start("wallet")
    async with greeted(Door(proven_stack.addresses["wallet"], certificates)) as connection:
        assert (await answer_of(connection, acknowledges=False)).ended


async def test_strangers_fill_the_house_only_for_as_long_as_a_handshake_may_take(
    proven_stack: Stack, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_options(monkeypatch, max_allowed_incoming_connections=20, server_handshake_timeout_ms=500)
    await proven_stack.start("wallet")
    door = Door(proven_stack.addresses["wallet"], certificates)

    async def get_in() -> bool:
        async with door.open("operator") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            try:
                await health.Check(health_pb2.HealthCheckRequest(), timeout=0.2)
            except grpc.aio.AioRpcError:
                return False
            return True

    async with door.open("sender") as known, AsyncExitStack() as strangers:
        stub = WalletServiceStub(known)
        assert (await refusal(stub.GetWallet(REQUEST))).reason == "WALLET_NOT_FOUND"
        for _ in range(40):
            await strangers.enter_async_context(connected(door, None))
        assert (await refusal(stub.GetWallet(REQUEST))).reason == "WALLET_NOT_FOUND"
        await eventually(get_in, bool)


async def test_connections_end_of_age_and_calls_do_not(
    proven_stack: Stack, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_options(monkeypatch, max_connection_age_ms=1_000, max_connection_age_grace_ms=300)
    await proven_stack.start("wallet", "campaign")
    wallet, campaign = (
        Door(proven_stack.addresses[name], certificates) for name in ("wallet", "campaign")
    )
    await begin(wallet)
    async with wallet.open("sender") as channel, campaign.open("sender") as watching:
        load = Load(WalletServiceStub(channel))
        async with load.going_on():
            for _ in range(2):
                health = health_pb2_grpc.HealthStub(channel)
                told = health.Watch(health_pb2.HealthCheckRequest())
                watched = CampaignServiceStub(watching).WatchCampaigns(
                    WatchCampaignsRequest(organization_id="org-1")
                )
                codes = set(await asyncio.gather(_end_of(told), _end_of(watched)))
                assert codes == {grpc.StatusCode.UNAVAILABLE}
                await load.as_many_again()
    assert load.failures == []


async def _end_of(stream: Any) -> grpc.StatusCode:
    try:
        async for _ in stream:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_server_that_ends_by_itself_ends_the_service(make_database: MakeDatabase) -> None:
    running = await build(wallet_settings(await make_database("wallet")))
    ending = asyncio.create_task(running.run(asyncio.Event()))

    async def is_listening() -> bool:
        return running.port > 0

    await eventually(is_listening, bool)
    await running._server.stop(None)  # noqa: SLF001 - nobody else may
    assert await asyncio.wait_for(ending, ANSWER_SECONDS) is False


async def test_a_connection_may_take_its_time_to_be_made(wallet: Door) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await let_time_pass(0.4)
        host, _, port = wallet.address.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as slow:
        far = replace(wallet, address=f"127.0.0.1:{slow.sockets[0].getsockname()[1]}")
        async with far.open("sender") as channel:
            found = await refusal(WalletServiceStub(channel).GetWallet(REQUEST))
    assert found.reason == "WALLET_NOT_FOUND"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(65_536):
            writer.write(some)
    writer.close()


def test_a_process_may_open_as_many_files_as_the_system_lets_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, process.FILES_MAX)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted - 1, hard))
    try:
        process.open_more_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
