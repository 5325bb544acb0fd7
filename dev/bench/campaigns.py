"""A campaign service of two processes to measure, and the wallet that tells it who may spend."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.bench.databases import create_service_database
from dev.bench.ledgers import Ledger, Ledgers
from dev.bench.levels import report_subscription
from dev.bench.load import drive
from dev.bench.programs import free_address, run_server
from dev.bench.requests import PRICE_MICROS, organization_of
from dev.postgres import EmbeddedPostgres
from libs.rpc.channel import open_channel
from tollgate.campaign.v1 import campaign_service_pb2 as campaign_pb2
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub

SERVICE = "campaign"
CAMPAIGNS_OF_EACH = 3
CALL_SECONDS_MAX = 30.0
PREPARING_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Where the service, its database and its wallet are reached."""

    address: str
    # Another process of it, on the same database.
    replica_address: str
    superuser_url: str
    wallet: Ledger

    async def add_organizations(self, numbers: Iterable[int]) -> None:
        """Each with campaigns that run, and with money for one more debit."""
        listed = list(numbers)
        await self.wallet.open_wallets(map(organization_of, listed), PRICE_MICROS)
        async with open_channel(self.address) as channel:
            stub = CampaignServiceStub(channel)

            async def add(number: int) -> None:
                organization_id = organization_of(number)
                await report_subscription(channel, organization_id, 1, good=True)
                await asyncio.gather(
                    *(_start(stub, organization_id, each) for each in range(CAMPAIGNS_OF_EACH))
                )

            await drive(add, listed, PREPARING_IN_FLIGHT)


def campaign_id_of(organization_id: str, number: int) -> str:
    return f"{organization_id}-{number}"


async def _start(stub: CampaignServiceStub, organization_id: str, number: int) -> None:
    campaign_id = campaign_id_of(organization_id, number)
    made = campaign_pb2.CreateCampaignRequest(
        campaign_id=campaign_id, organization_id=organization_id, brand_id="brand"
    )
    await stub.CreateCampaign(made, timeout=CALL_SECONDS_MAX)
    started = campaign_pb2.StartCampaignRequest(campaign_id=campaign_id)
    await stub.StartCampaign(started, timeout=CALL_SECONDS_MAX)


@asynccontextmanager
async def run_campaigns(
    postgres: EmbeddedPostgres, ledgers: Ledgers, logs: Path
) -> AsyncIterator[Campaigns]:
    """All of them, until the end of the block."""
    database_url = await create_service_database(postgres, SERVICE)
    addresses = {name: free_address() for name in (SERVICE, f"{SERVICE}_replica")}
    async with AsyncExitStack() as exits:
        for name, address in addresses.items():
            settings = {
                "CAMPAIGN_DATABASE_URL": database_url,
                "CAMPAIGN_LISTEN_ADDRESS": address,
                "CAMPAIGN_PLAINTEXT": "true",
                "CAMPAIGN_METRICS_ADDRESS": free_address(),
            }
            server = run_server(name, [f"services.{SERVICE}"], settings, address, logs)
            await exits.enter_async_context(server)
        address, replica_address = addresses.values()
        wallet = await exits.enter_async_context(ledgers.run("of_campaigns", address))
        yield Campaigns(address, replica_address, postgres.superuser_url(SERVICE), wallet)
