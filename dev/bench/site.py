"""Everything that runs while it is measured: PostgreSQL, services and bare servers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dev.bench import copying, large_ledger, pgbench
from dev.bench.campaigns import Campaigns, run_campaigns
from dev.bench.gateway import Gateway, run_gateway
from dev.bench.ledgers import Ledger, Ledgers
from dev.bench.options import Options
from dev.bench.programs import free_address, run_server
from dev.bench.requests import ASKING_ORGANIZATIONS, organization_of
from dev.bench.screen import Bar
from dev.bench.telephony import Telephony, run_telephony
from dev.postgres import EmbeddedPostgres, EmbeddedPostgresError
from dev.stack.certificates import directory_of
from dev.stack.errors import StackError

# All else is PostgreSQL's default: above all, fsync and synchronous_commit are on.
# So many services have more connections than a server of their own would have to bear.
POSTGRES_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "max_connections": "300"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything is reached. The ledgers differ in what is done to them."""

    directory: Path
    superuser_url: str
    no_op_address: str
    # The ledger that begins empty, and who may debit there.
    proven_address: str
    sender: Path
    empty: Ledger
    large: Ledger
    batched: Ledger
    gateway: Gateway
    telephony: Telephony
    campaigns: Campaigns

    async def postgres_version(self) -> str:
        connection = await asyncpg.connect(self.superuser_url)
        try:
            version: str = await connection.fetchval("SHOW server_version")
            return version
        finally:
            await connection.close()


@asynccontextmanager
async def run_site(options: Options, directory: Path, bar: Bar) -> AsyncIterator[Site]:
    """Starts and fills everything; the bar counts the entries of the large ledger."""
    async with AsyncExitStack() as exits:
        bar.begin("starting")
        postgres = await exits.enter_async_context(_run_postgres(directory / "postgres"))
        await pgbench.prepare(postgres.superuser_url())
        observer = await exits.enter_async_context(
            _run_bare_server("observer", [], options.log_directory)
        )
        ledgers = await Ledgers.prepare(postgres, observer, options.log_directory)
        empty, large, batched = [
            await exits.enter_async_context(ledgers.run(name))
            for name in ("empty", "large", "batched")
        ]
        bar.begin("opening wallets")
        certificates = directory / "certificates"
        proven = await exits.enter_async_context(ledgers.run_proven(empty, certificates))
        await empty.open_wallets([organization_of(0)])
        await batched.open_wallets(map(organization_of, range(options.wallets)))
        await copying.create_table(batched.superuser_url)
        bar.begin("filling the large ledger")
        await large_ledger.fill(large, options.entries, bar.advance)
        telephony = await exits.enter_async_context(run_telephony(postgres, options.log_directory))
        bar.begin("adding organizations to telephony")
        askers = range(ASKING_ORGANIZATIONS)
        await telephony.add_organizations(askers)
        await telephony.report_subscriptions(askers, 1, good=True)
        await telephony.wait_until_all_are("ACTIVE", askers)
        no_op = await exits.enter_async_context(
            _run_no_op(empty, telephony, directory, options.log_directory)
        )
        gateway = await exits.enter_async_context(
            run_gateway(postgres, ledgers, telephony.address, directory, options.log_directory)
        )
        campaigns = await exits.enter_async_context(
            run_campaigns(postgres, ledgers, options.log_directory)
        )
        yield Site(
            directory=directory,
            superuser_url=postgres.superuser_url(),
            no_op_address=no_op,
            proven_address=proven,
            sender=directory_of("sender", certificates),
            empty=empty,
            large=large,
            batched=batched,
            gateway=gateway,
            telephony=telephony,
            campaigns=campaigns,
        )


@asynccontextmanager
async def _run_postgres(directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    port = int(free_address().rpartition(":")[2])
    try:
        async with EmbeddedPostgres(directory, port, POSTGRES_SETTINGS) as postgres:
            yield postgres
    except EmbeddedPostgresError as error:
        raise StackError(str(error)) from error


@asynccontextmanager
async def _run_no_op(
    ledger: Ledger, telephony: Telephony, directory: Path, logs: Path
) -> AsyncIterator[str]:
    """It answers what the services have answered, so that the messages are the same."""
    answers = {
        "Debit": await ledger.debit_once(),
        "CanOrganizationSend": await telephony.ask_once(),
    }
    arguments = []
    for name, answer in answers.items():
        file = directory / name
        file.write_bytes(answer.SerializeToString())
        arguments += ["--answer", str(file)]
    async with _run_bare_server("no_op", arguments, logs) as address:
        yield address


@asynccontextmanager
async def _run_bare_server(
    name: str, arguments: Sequence[str], log_directory: Path
) -> AsyncIterator[str]:
    address = free_address()
    command = ["dev.bench.bare_server", "--address", address, *arguments]
    async with run_server(name, command, {}, address, log_directory):
        yield address
