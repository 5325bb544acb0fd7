"""Whom services call: who they were told, and nobody whom an answer or this machine names besides.

Each client asks a server by its own library; what must not be called is a server that notes it.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from dev.simulators.paypal.certificates import make_authority, make_leaf
from libs.rpc.channel import open_channel
from services.billing_gateway.paypal import http_client as paypal
from services.billing_gateway.ports import ProviderUnavailableError
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.stripe.api import StripeApi
from services.telephony.ports import TwilioUnavailableError
from services.telephony.twilio_accounts import TwilioRestAccounts

SECRET = "a-secret-of-a-test"
SID = "AC" + "1" * 32
# What each of them would take for an answer.
GOOD = {"id": "sub_1", "sid": SID, "status": "active"}
DATE = {"Date": "Sun, 22 Nov 2026 12:00:00 GMT"}
REDIRECTS = (300, 301, 302, 303, 307, 308)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")
UNAVAILABLE = (ProviderUnavailableError, TwilioUnavailableError)
TIMEOUT_SECONDS = 5.0

Ask = Callable[[str], Awaitable[object]]


async def ask_stripe(base: str) -> object:
    api = StripeApi(SECRET, base, TIMEOUT_SECONDS, ProviderCalls(CollectorRegistry()))
    try:
        return await api.get("get_subscription", "/v1/subscriptions/sub_1")
    finally:
        await api.close()


async def ask_paypal(base: str) -> object:
    client = paypal.HttpClient(base, TIMEOUT_SECONDS)
    try:
        return await client.send("GET", "/v2/orders/1", {"Authorization": SECRET}, None)
    finally:
        await client.close()


async def ask_twilio(base: str) -> object:
    accounts = TwilioRestAccounts(
        parent_account_sid=SID,
        auth_token=SECRET,
        api_base=base,
        timeout_seconds=TIMEOUT_SECONDS,
        registry=CollectorRegistry(),
    )
    try:
        return await accounts.fetch_status(SID)
    finally:
        await accounts.close()


EACH = pytest.mark.parametrize("ask", [ask_stripe, ask_paypal, ask_twilio])


async def answer_well(_: web.Request) -> web.StreamResponse:
    return web.json_response(GOOD, headers=DATE)


@dataclass
class Host:
    """A server that notes whatever it is asked, and answers as a test says."""

    base: str
    requests: list[web.BaseRequest] = field(default_factory=list)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = answer_well


@asynccontextmanager
async def open_host(context: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    async def take(request: web.BaseRequest) -> web.StreamResponse:
        host.requests.append(request)
        assert isinstance(request, web.Request)
        return await host.answer(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", take)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server(ssl=context)
    host = Host(str(server.make_url("")).rstrip("/"))
    try:
        yield host
    finally:
        await server.close()


@pytest.fixture
async def told() -> AsyncIterator[Host]:
    """Yield the host that the settings name."""
    async with open_host() as host:
        yield host


@pytest.fixture
async def elsewhere() -> AsyncIterator[Host]:
    """Yield the host that nobody may call."""
    async with open_host() as host:
        yield host


@EACH
async def test_no_answer_leads_to_another_host(ask: Ask, told: Host, elsewhere: Host) -> None:
    """Nor is it believed, though what comes with it looks well."""
    for status in REDIRECTS:

        async def lead_away(_: web.Request, status: int = status) -> web.StreamResponse:
            headers = DATE | {"Location": f"{elsewhere.base}/elsewhere"}
            return web.json_response(GOOD, status=status, headers=headers)

        told.answer = lead_away
        with pytest.raises(UNAVAILABLE, match=f"HTTP {status} without a usable answer") as error:
            await ask(told.base)
        assert SECRET not in repr(error.value)
    assert len(told.requests) == len(REDIRECTS)
    assert elsewhere.requests == []


@pytest.fixture
def misled(tmp_path: Path, elsewhere: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine's environment name a proxy and credentials for every host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login stranger password stranger\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in PROXIES:
        monkeypatch.setenv(name, elsewhere.base)
        monkeypatch.setenv(name.lower(), elsewhere.base)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@EACH
@pytest.mark.usefixtures("misled")
async def test_nothing_of_this_machine_leads_to_another_host(
    ask: Ask, told: Host, elsewhere: Host
) -> None:
    await ask(told.base)
    [request] = told.requests
    assert "stranger" not in request.headers["Authorization"]
    assert "Proxy-Authorization" not in request.headers
    assert elsewhere.requests == []


@pytest.mark.usefixtures("misled")
async def test_services_call_each_other_by_no_proxy(elsewhere: Host) -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
    finally:
        await server.stop(None)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert elsewhere.requests == []


@EACH
async def test_who_cannot_prove_its_name_is_told_nothing(ask: Ask, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = make_authority("Nobody's authority", now)
    leaf = make_leaf(authority, "localhost", now - timedelta(days=1), now + timedelta(days=1))
    (tmp_path / "server.pem").write_bytes(leaf.certificate_pem + leaf.key_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    async with open_host(context) as host:
        assert host.base.startswith("https://")
        with pytest.raises(UNAVAILABLE, match="Certificate"):
            await ask(host.base.replace("127.0.0.1", "localhost"))
        assert host.requests == []


@EACH
async def test_an_answer_without_end_is_not_read_to_its_end(ask: Ask, told: Host) -> None:
    """In whatever way it is packed."""
    for packed in (False, True):
        sent = 0

        async def go_on(request: web.Request, *, packed: bool = packed) -> web.StreamResponse:
            nonlocal sent
            response = web.StreamResponse(headers=DATE)
            if packed:
                response.enable_compression(web.ContentCoding.gzip)
            await response.prepare(request)
            while sent < 64 << 20:
                await response.write(b" " * (1 << 20))
                sent += 1 << 20
            return response

        told.answer = go_on
        with pytest.raises(UNAVAILABLE, match=r"too long|without end"):
            await ask(told.base)
        assert packed or sent < 64 << 20
