"""What stands between the wire and a servicer does the same for one answer and for many."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import grpc
import pytest
import structlog

from libs.errors import DomainError, ErrorReason
from libs.logs import configure_logs, get_logger
from libs.metrics import ServiceMetrics
from libs.rpc.access import OpenAccess
from libs.rpc.boundary import Boundary
from tests.support.errors import Refusal, read_refusal
from tollgate.wallet.v1 import ledger_pb2, wallet_service_ledger_pb2, wallet_service_pb2

Step = Callable[[], Awaitable[None]]
ReadLogs = Callable[[], list[dict[str, Any]]]

SERVICE = "tollgate.wallet.v1.WalletService"
ONE_ANSWER, MANY_ANSWERS = "GetWallet", "VerifyLedger"
BOTH = pytest.mark.parametrize("method", [ONE_ANSWER, MANY_ANSWERS])
# Both requests begin with an organization_id.
ORG_1 = wallet_service_pb2.GetWalletRequest(organization_id="org-1").SerializeToString()


class Servicer:
    """Takes one step before its answer, or after the first of many."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.call_count = 0
        self.ended = asyncio.Event()

    async def get_wallet(self, *_: object) -> wallet_service_pb2.GetWalletResponse:
        self.call_count += 1
        await self.step()
        return wallet_service_pb2.GetWalletResponse()

    async def verify_ledger(
        self, *_: object
    ) -> AsyncIterator[wallet_service_ledger_pb2.VerifyLedgerResponse]:
        self.call_count += 1
        try:
            yield verified(1)
            await self.step()
            yield verified(2)
        finally:
            self.ended.set()

    def handlers(self) -> Any:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                ONE_ANSWER: grpc.unary_unary_rpc_method_handler(
                    self.get_wallet,
                    wallet_service_pb2.GetWalletRequest.FromString,
                    wallet_service_pb2.GetWalletResponse.SerializeToString,
                ),
                MANY_ANSWERS: grpc.unary_stream_rpc_method_handler(
                    self.verify_ledger,
                    wallet_service_ledger_pb2.VerifyLedgerRequest.FromString,
                    wallet_service_ledger_pb2.VerifyLedgerResponse.SerializeToString,
                ),
            },
        )


def verified(wallets: int) -> wallet_service_ledger_pb2.VerifyLedgerResponse:
    progress = ledger_pb2.VerifyProgress(verified_wallets=wallets)
    return wallet_service_ledger_pb2.VerifyLedgerResponse(progress=progress)


class Caller:
    """A client, and what the server counts."""

    def __init__(self, channel: grpc.aio.Channel, metrics: ServiceMetrics) -> None:
        self.one_answer: Any = channel.unary_unary(f"/{SERVICE}/{ONE_ANSWER}")
        self.many_answers: Any = channel.unary_stream(f"/{SERVICE}/{MANY_ANSWERS}")
        self.registry = metrics.registry

    async def call(self, method: str, body: bytes = ORG_1) -> int:
        """Return how many answers came."""
        if method == ONE_ANSWER:
            await self.one_answer(body)
            return 1
        return len([answer async for answer in self.many_answers(body)])

    async def refusal(self, method: str, body: bytes = ORG_1) -> Refusal:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, body)
        return read_refusal(caught.value)

    def count(self, method: str, reason: str) -> float | None:
        labels = {"method": method, "reason": reason}
        return self.registry.get_sample_value("tollgate_rpcs_total", labels)


@asynccontextmanager
async def serving(servicer: Servicer) -> AsyncIterator[Caller]:
    metrics = ServiceMetrics()
    server = grpc.aio.server(interceptors=[Boundary(metrics, OpenAccess())])
    server.add_generic_rpc_handlers((servicer.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Caller(channel, metrics)
    finally:
        await server.stop(None)


@contextmanager
def logging_to(capsys: pytest.CaptureFixture[str]) -> Iterator[ReadLogs]:
    configure_logs("wallet", "INFO")
    try:
        yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    finally:
        structlog.reset_defaults()


async def do_nothing() -> None:
    pass


async def refuse() -> None:
    names = {"reason": "one", "event": "two", "method": "three", "level": "four"}
    raise DomainError(ErrorReason.WALLET_FROZEN, "frozen", **names)


async def fail() -> None:
    raise ValueError("a defect")


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def overhear_the_end() -> None:
    with suppress(asyncio.CancelledError):
        await wait_for_ever()


async def log_something() -> None:
    get_logger().info("something", reference_id="its-own")


@BOTH
async def test_what_keeps_the_rules_is_answered_and_counted(method: str) -> None:
    async with serving(Servicer(do_nothing)) as caller:
        assert await caller.call(method) == (1 if method == ONE_ANSWER else 2)
        assert caller.count(method, "OK") == 1
        timed = caller.registry.get_sample_value("tollgate_rpc_seconds_count", {"method": method})
        assert timed == 1


@BOTH
@pytest.mark.parametrize(
    ("body", "field"), [(b"\x0a\x01?", "organization_id"), (b"\x0a\x7f", "request")]
)
async def test_what_breaks_a_rule_never_reaches_the_servicer(
    method: str, body: bytes, field: str
) -> None:
    servicer = Servicer(do_nothing)
    async with serving(servicer) as caller:
        refused = await caller.refusal(method, body)
        assert caller.count(method, "INVALID_ARGUMENT") == 1
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields == [field]
    assert servicer.call_count == 0


@BOTH
async def test_a_refusal_is_told_counted_and_logged_whatever_its_metadata_is_called(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(capsys) as read_logs:
        async with serving(Servicer(refuse)) as caller:
            refused = await caller.refusal(method)
            assert caller.count(method, "WALLET_FROZEN") == 1
            assert caller.count(method, "OK") == 0
        [line] = read_logs()
    assert refused.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.reason == "WALLET_FROZEN"
    assert refused.metadata == line["metadata"]
    assert refused.metadata["reason"] == "one"
    assert (line["event"], line["reason"]) == ("rpc_refused", "WALLET_FROZEN")
    assert (line["method"], line["organization_id"]) == (method, "org-1")


@BOTH
async def test_a_defect_is_told_to_the_log_and_not_to_the_caller(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(capsys) as read_logs:
        async with serving(Servicer(fail)) as caller:
            refused = await caller.refusal(method)
            assert caller.count(method, "INTERNAL") == 1
        [line] = read_logs()
    assert refused == Refusal(grpc.StatusCode.INTERNAL)
    assert line["event"] == "rpc_failed"
    assert (line["method"], line["organization_id"]) == (method, "org-1")
    assert "a defect" in json.dumps(line["exception"])


@BOTH
async def test_each_line_of_a_call_says_which_call_it_was(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(capsys) as read_logs:
        async with serving(Servicer(log_something)) as caller:
            await caller.call(method)
        get_logger().info("afterwards")
        something, afterwards = read_logs()
    assert (something["method"], something["organization_id"]) == (method, "org-1")
    assert something["reference_id"] == "its-own"
    assert "method" not in afterwards


@pytest.mark.parametrize("step", [wait_for_ever, overhear_the_end])
async def test_a_stream_ends_at_once_when_its_caller_is_gone(
    step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer = Servicer(step)
    with logging_to(capsys) as read_logs:
        async with serving(servicer) as caller:
            stream = caller.many_answers(ORG_1)
            assert await stream.read() == verified(1).SerializeToString()
            stream.cancel()
            await asyncio.wait_for(servicer.ended.wait(), timeout=5)
        assert read_logs() == []
