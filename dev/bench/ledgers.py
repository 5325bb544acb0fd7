"""Wallet services to measure: each a process of its own, on a database of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from dev.bench.databases import create_service_database
from dev.bench.programs import free_address, run_server
from dev.bench.requests import FUNDS_MICROS, debit, organization_of, payment
from dev.postgres import EmbeddedPostgres
from dev.stack.certificates import directory_of, make_all_certificates
from libs.rpc.channel import open_channel
from tollgate.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc

CALL_SECONDS_MAX = 30.0
TELL_SECONDS_MAX = 120.0
POLL_SECONDS = 0.1
OPENING_IN_FLIGHT = 64
SERVICE = "wallet"
# Counted for each call, and never reached.
CALLS_PER_SECOND_MAX = 1_000_000

COUNT_UNTOLD = "SELECT count(*) FROM announcements WHERE acknowledged_revision < revision"


@dataclass(frozen=True, slots=True)
class Ledger:
    """A wallet service that runs, and its database as its own role and the superuser reach it."""

    address: str
    database_url: str
    superuser_url: str
    chain_key: str

    async def open_wallets(
        self, organization_ids: Iterable[str], funds_micros: int = FUNDS_MICROS
    ) -> None:
        """Opens and fills them; returns when the service has nothing left to tell of it."""
        waiting = iter(organization_ids)
        async with open_channel(self.address) as channel:
            stub = wallet_service_pb2_grpc.WalletServiceStub(channel)

            async def open_next() -> None:
                for organization_id in waiting:
                    request = payment(organization_id, funds_micros)
                    await stub.ApplyPayment(request, timeout=CALL_SECONDS_MAX)

            await asyncio.gather(*(open_next() for _ in range(OPENING_IN_FLIGHT)))
        await self._wait_until_told()

    async def debit_once(self) -> wallet_service_pb2.DebitResponse:
        """A debit of the wallet that is measured, and what is answered."""
        async with open_channel(self.address) as channel:
            stub = wallet_service_pb2_grpc.WalletServiceStub(channel)
            return await stub.Debit(debit(organization_of(0)), timeout=CALL_SECONDS_MAX)

    async def _wait_until_told(self) -> None:
        connection = await asyncpg.connect(self.superuser_url)
        try:
            async with asyncio.timeout(TELL_SECONDS_MAX):
                while await connection.fetchval(COUNT_UNTOLD):
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            await connection.close()


class Ledgers:
    """Runs ledgers, all alike and empty at the start."""

    def __init__(
        self, postgres: EmbeddedPostgres, template_url: str, observer_address: str, logs: Path
    ) -> None:
        self._postgres = postgres
        self._template_url = template_url
        self._observer_address = observer_address
        self._logs = logs

    @classmethod
    async def prepare(
        cls, postgres: EmbeddedPostgres, observer_address: str, logs: Path
    ) -> "Ledgers":
        """Migrates the database that the others are copies of."""
        template_url = await create_service_database(postgres, SERVICE)
        return cls(postgres, template_url, observer_address, logs)

    @asynccontextmanager
    async def run(self, name: str, observer_address: str | None = None) -> AsyncIterator[Ledger]:
        """One ledger, until the end of the block.

        Its levels are told to one that takes them all, if no other observer is given.
        """
        ledger = await self._make(f"{SERVICE}_{name}")
        async with self._serve(
            name,
            ledger,
            WALLET_PLAINTEXT="true",
            WALLET_OBSERVERS=f"bench={observer_address or self._observer_address}",
        ):
            yield ledger

    @asynccontextmanager
    async def run_proven(self, ledger: Ledger, certificates: Path) -> AsyncIterator[str]:
        """Another door to a ledger, for whoever proves that they may; where it is reached."""
        make_all_certificates(certificates, [SERVICE])
        async with self._serve(
            "proven",
            replace(ledger, address=free_address()),
            WALLET_TLS_DIRECTORY=str(directory_of(SERVICE, certificates)),
            WALLET_CALLER_CALLS_PER_SECOND_MAX=str(CALLS_PER_SECOND_MAX),
            WALLET_OBSERVERS=f"bench={self._observer_address}",
        ) as address:
            yield address

    @asynccontextmanager
    async def _serve(self, name: str, ledger: Ledger, **settings: str) -> AsyncIterator[str]:
        environment = {
            "WALLET_DATABASE_URL": ledger.database_url,
            "WALLET_LISTEN_ADDRESS": ledger.address,
            "WALLET_METRICS_ADDRESS": free_address(),
            "WALLET_CHAIN_KEYS": ledger.chain_key,
            **settings,
        }
        async with run_server(
            f"{SERVICE}_{name}", ["services.wallet"], environment, ledger.address, self._logs
        ):
            yield ledger.address

    async def _make(self, database: str) -> Ledger:
        connection = await asyncpg.connect(self._postgres.superuser_url())
        try:
            await connection.execute(f"CREATE DATABASE {database} TEMPLATE {SERVICE}")
        finally:
            await connection.close()
        return Ledger(
            address=free_address(),
            database_url=f"{self._template_url.rpartition('/')[0]}/{database}",
            superuser_url=self._postgres.superuser_url(database),
            chain_key=secrets.token_hex(32),
        )
