"""Certificates over real HTTPS, from a host that a resolver and a root make PayPal's."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import Handler

from dev.simulators.paypal.certificates import Identity, make_authority, make_leaf
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.signature.source import (
    BYTES_MAX,
    CertificateDownloads,
    system_trust,
)
from services.billing_gateway.ports import CannotVerifyError

HOST = "api.sandbox.paypal.com"
FOLDER = f"https://{HOST}/v1/notifications/certs"
TIMEOUT_SECONDS = 0.5


@dataclass
class Elsewhere(AbstractResolver):
    """Knows one name, and where it leads on this machine."""

    port: int

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        assert (host, port) == (HOST, 443)
        address: ResolveResult = {
            "hostname": host,
            "host": "127.0.0.1",
            "port": self.port,
            "family": socket.AF_INET,
            "proto": 0,
            "flags": 0,
        }
        return [address]

    async def close(self) -> None:
        pass


@dataclass
class Host:
    """A server that has PayPal's name and behaves as the path says."""

    port: int
    root: Identity
    paths: list[str]

    def downloads(self, root: Identity | None = None) -> CertificateDownloads:
        context = ssl.create_default_context(cadata=(root or self.root).certificate_pem.decode())
        connector = TCPConnector(ssl=context, resolver=Elsewhere(self.port))
        return CertificateDownloads(connector, TIMEOUT_SECONDS)


LET_GO = web.AppKey("let_go", asyncio.Event)


async def serve(request: web.Request) -> web.StreamResponse:
    match request.match_info["name"]:
        case "good":
            return web.Response(body=b"pem")
        case "redirect":
            raise web.HTTPFound(f"{FOLDER}/good")
        case "large":
            return web.Response(body=b"a" * (BYTES_MAX + 1))
        case "largest":
            return web.Response(body=b"a" * BYTES_MAX)
        case "packed":
            packed = web.Response(body=b"a" * BYTES_MAX)
            packed.enable_compression(web.ContentCoding.gzip)
            return packed
        case "slow":
            return await _drip(request)
        case "hang":
            await request.app[LET_GO].wait()
            return web.Response()
        case status:
            return web.Response(status=int(status))


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"-")
    await request.app[LET_GO].wait()
    return response


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    now = datetime.now(UTC)
    root = make_authority("A root for HTTPS", now)
    leaf = make_leaf(root, HOST, now - timedelta(days=1), now + timedelta(days=1))
    file = tmp_path / "server.pem"
    file.write_bytes(leaf.certificate_pem + leaf.key_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    paths: list[str] = []

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        paths.append(request.path)
        return await handler(request)

    application = web.Application(middlewares=[note])
    application[LET_GO] = asyncio.Event()
    application.router.add_get("/v1/notifications/certs/{name}", serve)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield Host(runner.addresses[0][1], root, paths)
    application[LET_GO].set()
    await runner.cleanup()


async def fetch(downloads: CertificateDownloads, name: str) -> bytes:
    try:
        return await downloads.fetch(f"{FOLDER}/{name}")
    finally:
        await downloads.close()


async def test_what_lies_there_is_fetched(host: Host) -> None:
    assert await fetch(host.downloads(), "good") == b"pem"
    assert len(await fetch(host.downloads(), "largest")) == BYTES_MAX


@pytest.mark.parametrize(
    "name", ["redirect", "large", "slow", "hang", "404", "500", "503", "204", "304"]
)
async def test_any_other_end_is_one_that_may_pass(host: Host, name: str) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(CannotVerifyError):
            await fetch(host.downloads(), name)
    assert host.paths == [f"/v1/notifications/certs/{name}"]


async def test_what_is_packed_is_not_unpacked(host: Host) -> None:
    assert b"a" * 100 not in await fetch(host.downloads(), "packed")


async def test_a_host_that_is_not_paypals_is_not_listened_to(host: Host) -> None:
    another = make_authority("Another root", datetime.now(UTC))
    with pytest.raises(CannotVerifyError, match="Certificate"):
        await fetch(host.downloads(another), "good")
    assert host.paths == []


async def test_the_systems_trust_is_whole(tmp_path: Path) -> None:
    root = make_authority("An intermediate of PayPal's", datetime.now(UTC))
    file = tmp_path / "intermediates.pem"
    file.write_bytes(root.certificate_pem)
    for environment in Environment:
        trust = system_trust(environment, file)
        assert len(trust.roots) > 50
        assert list(trust.intermediates) == [root.certificate]
        assert (".sandbox." in trust.name) == (environment is Environment.SANDBOX)
        await trust.source.close()
