"""Whoever proves nothing is kept out: with the right code, and one line in the log."""

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.certificates import make_authority, to_pem
from dev.stack.certificates import directory_of
from dev.stack.stack import is_serving
from libs.rpc.channel import open_channel
from libs.rpc.credentials import AUTHORITIES_FILE, Certificates
from tests.conftest import MakeDatabase
from tests.support.certificates import DAY, certificates_with, read_signer
from tests.support.doors import Door
from tests.support.errors import refusal
from tests.support.processes import ROOT
from tests.support.services import free_address
from tests.support.waiting import eventually
from tollgate.wallet.v1.wallet_service_pb2 import GetWalletRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

GET_WALLET = GetWalletRequest(organization_id="org-1")

# What an authority that we believe has signed, and that names nobody.
NOBODY: dict[str, Sequence[str]] = {
    "no URI": (),
    "two URIs": ("spiffe://tollgate/operator/ann", "spiffe://tollgate/sender/ann"),
    "another trust domain": ("spiffe://example/operator/ann",),
    "another scheme": ("https://tollgate/operator/ann",),
    "no subject": ("spiffe://tollgate/operator",),
    "an empty subject": ("spiffe://tollgate/operator/",),
    "a path below the subject": ("spiffe://tollgate/operator/ann/more",),
    "a query": ("spiffe://tollgate/operator/ann?role=wallet",),
    "an encoded sign": ("spiffe://tollgate/operator/%61nn",),
    "a port": ("spiffe://tollgate:443/operator/ann",),
    "a longer subject than allowed": (f"spiffe://tollgate/operator/{'a' * 129}",),
    "an unknown role": ("spiffe://tollgate/emperor/ann",),
    "the role that is nobody's": ("spiffe://tollgate/unspecified/ann",),
    "a NUL": ("spiffe://tollgate/operator/ann\0x",),
    "a role in capitals": ("spiffe://tollgate/OPERATOR/ann",),
}


async def test_whom_a_certificate_does_not_name_is_not_authenticated(wallet: Door) -> None:
    signer = read_signer(wallet.certificates_directory)
    for what, uris in NOBODY.items():
        async with open_channel(wallet.address, certificates_with(signer, uris)) as channel:
            found = await refusal(WalletServiceStub(channel).GetWallet(GET_WALLET))
            assert found.code is grpc.StatusCode.UNAUTHENTICATED, what
            assert found.reason == "UNAUTHENTICATED"
            assert found.metadata["certificate"]
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_who_expires_while_connected_is_not_believed_any_more(wallet: Door) -> None:
    """Whoever resumes a session is in the same place: only the first handshake has verified it."""
    signer = read_signer(wallet.certificates_directory)
    soon = certificates_with(signer, ends=timedelta(seconds=2))
    async with open_channel(wallet.address, soon) as channel:
        stub = WalletServiceStub(channel)
        assert (await refusal(stub.GetWallet(GET_WALLET))).code is grpc.StatusCode.NOT_FOUND

        async def reason() -> str:
            return (await refusal(stub.GetWallet(GET_WALLET))).reason

        await eventually(reason, lambda seen: seen == "UNAUTHENTICATED")


def unbelievable(certificates: Path) -> dict[str, Certificates]:
    """Return what is refused before a call."""
    signer = read_signer(certificates)
    other = make_authority("another authority", datetime.now(UTC))
    # Of the same name and another key.
    impostor = make_authority("Tollgate, of this machine", datetime.now(UTC))
    believes = to_pem(signer.certificate)
    return {
        "expired": certificates_with(signer, begins=-2 * DAY, ends=-timedelta(minutes=1)),
        "not yet valid": certificates_with(signer, begins=timedelta(hours=1)),
        "another authority's": certificates_with(other, believes=believes),
        "an impostor's": certificates_with(impostor, believes=believes),
    }


@dataclass(frozen=True)
class LoggingService:
    """A service in a process of its own, and all that it writes."""

    door: Door
    log: Path

    def lines(self) -> list[str]:
        """Return what it has written, but for how it started."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if "service_started" not in line]


@pytest.fixture
async def campaigns(
    make_database: MakeDatabase, certificates: Path, tmp_path: Path
) -> AsyncIterator[LoggingService]:
    """The campaign service as a process."""
    door = Door(free_address(), certificates)
    log = tmp_path / "campaign.log"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}",
        "CAMPAIGN_DATABASE_URL": (await make_database("campaign")).url,
        "CAMPAIGN_LISTEN_ADDRESS": door.address,
        "CAMPAIGN_METRICS_ADDRESS": "127.0.0.1:0",
        "CAMPAIGN_TLS_DIRECTORY": str(directory_of("campaign", certificates)),
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.campaign"),
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        await eventually(partial(is_serving_at, door), bool, 30.0)
        yield LoggingService(door, log)
    finally:
        process.kill()
        await process.wait()


async def is_serving_at(door: Door) -> bool:
    """Tell whether somebody serves there."""
    async with door.open("operator_reader") as channel:
        return await is_serving(channel)


async def shake_hands(door: Door, shown: Certificates | None, directory: Path) -> None:
    """Connect once, by TLS, and read until the other end has had enough."""
    trust = ssl.create_default_context(
        cafile=str(directory_of("campaign", door.certificates_directory) / AUTHORITIES_FILE)
    )
    trust.set_alpn_protocols(["h2"])
    if shown is not None:
        file = directory / "shown.pem"
        file.write_bytes(shown.certificate + shown.key)
        trust.load_cert_chain(file)
    host, _, port = door.address.rpartition(":")
    with suppress(ssl.SSLError, ConnectionError):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
        try:
            await asyncio.wait_for(reader.read(), 10.0)
        finally:
            writer.close()


async def speak_in_the_clear(door: Door) -> None:
    """Say what HTTP/2 begins with, to somebody who expects TLS."""
    host, _, port = door.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10.0)
    writer.close()


async def test_who_is_not_believed_is_refused_and_logged_once(
    campaigns: LoggingService, tmp_path: Path
) -> None:
    door = campaigns.door
    expected = 0

    async def as_many() -> int:
        return len(campaigns.lines())

    shown: dict[str, Certificates | None] = {
        "none": None,
        **unbelievable(door.certificates_directory),
    }
    for each in shown.values():
        await shake_hands(door, each, tmp_path)
        expected += 1
        await eventually(as_many, lambda seen, wanted=expected: seen == wanted, 10.0)  # type: ignore[misc]
    await speak_in_the_clear(door)
    await eventually(as_many, lambda seen: seen == expected + 1, 10.0)

    assert not [line for line in campaigns.lines() if "Traceback" in line or "key" in line]
    async with door.open("operator") as channel:
        assert await is_serving(channel)


async def test_who_is_not_believed_hears_that_nobody_is_there(
    wallet: Door, certificates: Path
) -> None:
    clear: Any = open_channel(wallet.address)
    others = [open_channel(wallet.address, each) for each in unbelievable(certificates).values()]
    for channel in (clear, *others):
        async with channel:
            found = await refusal(WalletServiceStub(channel).GetWallet(GET_WALLET))
            assert found.code is grpc.StatusCode.UNAVAILABLE
