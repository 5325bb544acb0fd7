"""A telephony service of its own, and a Twilio of its own, for each test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import grpc
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from dev.simulators.twilio import TwilioSimulator
from libs.database import Database
from services.telephony.app import build, connect_twilio
from services.telephony.config import TelephonySettings
from services.telephony.domain.changes import ChangeFilter, SubaccountChange
from services.telephony.domain.values import DueSearch, Work
from services.telephony.operations.aftermath import Ending
from services.telephony.operations.backing_off import BackOff
from services.telephony.operations.claiming import Claim, Claiming
from services.telephony.operations.creating import Creation
from services.telephony.operations.driving import Driving
from services.telephony.operations.organizations import OrganizationOperations
from services.telephony.operations.provisioning import ProvisionOperations
from services.telephony.operations.recording import Outcome, Recording
from services.telephony.operations.sending import SendingOperations
from services.telephony.operations.subaccounts import SubaccountOperations
from services.telephony.operations.trouble import TwilioTrouble
from services.telephony.ports import TwilioAccounts
from tests.conftest import MakeDatabase
from tests.integration.telephony.steps import TelephonySteps
from tests.support.databases import ServiceDatabase
from tests.support.services import ANY_PORT, running
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN


def telephony_settings(
    database: ServiceDatabase, twilio: TwilioSimulator, **changed: Any
) -> TelephonySettings:
    """Return settings for a service that is quick to look, to give up and to try again."""
    quick: dict[str, Any] = {
        "database_url": database.url,
        "listen_address": ANY_PORT,
        "plaintext": True,
        "metrics_address": ANY_PORT,
        "poll_interval_seconds": 0.1,
        "twilio_account_sid": TWILIO_SID,
        "twilio_auth_token": SecretStr(TWILIO_TOKEN),
        "twilio_api_base": twilio.base_url,
        "twilio_timeout_seconds": 0.5,
        "twilio_back_off_max_seconds": 0.1,
        "twilio_refused_back_off_max_seconds": 0.2,
        "twilio_recheck_seconds": 1.0,
        # Tests of what follows a suspension switch it on.
        "end_calls": False,
        "cancel_scheduled_messages": False,
    }
    return TelephonySettings(**{**quick, **changed})


@dataclass(frozen=True)
class Parts:
    """What a service is made of, without the loops that use it."""

    organizations: OrganizationOperations
    subaccounts: SubaccountOperations
    sending: SendingOperations
    claiming: Claiming
    driving: Driving
    recording: Recording
    registry: CollectorRegistry
    provisioning: ProvisionOperations
    creation: Creation

    async def claim(self, *, urgent: bool, left_aside: Sequence[str] = ()) -> list[Claim]:
        """Claim what is due, or all of it that is not left aside."""
        work = Work.SUSPENSION if urgent else Work.REST
        search = DueSearch(work, list(left_aside), limit=10)
        return (await self.claiming.claim_due(search)).claims

    async def list_changes(self) -> Sequence[SubaccountChange]:
        """Read the newest lines of history."""
        return (await self.subaccounts.list_changes(ChangeFilter(), 500, "")).items

    async def reconcile(self) -> None:
        """Drive all that is due, once."""
        claims = [*await self.claim(urgent=True), *await self.claim(urgent=False)]
        await asyncio.gather(*(self.reconcile_claimed(claim) for claim in claims))

    async def reconcile_claimed(self, claim: Claim) -> None:
        """Drive what is claimed, and write down what came of it."""
        answer = await self.driving.drive(claim)
        await self.recording.record(Outcome(claim, answer))


def back_off_of(settings: TelephonySettings) -> BackOff:
    """Return the pauses that the settings say."""
    return BackOff(
        settings.twilio_back_off_max_seconds, settings.twilio_refused_back_off_max_seconds
    )


def make_driving(
    database: Database, accounts: TwilioAccounts, settings: TelephonySettings
) -> Driving:
    """Build what calls Twilio, as the service does."""
    return Driving(
        database,
        accounts,
        settings.suspension_policy,
        parent_account_sid=settings.twilio_account_sid,
        back_off=back_off_of(settings),
        sweep_seconds=settings.twilio_sweep_seconds,
    )


def make_trouble(
    database: Database,
    accounts: TwilioAccounts,
    settings: TelephonySettings,
    registry: CollectorRegistry,
) -> TwilioTrouble:
    """Build what hears of trouble with Twilio, as the service does."""
    return TwilioTrouble(
        database,
        accounts,
        settings.twilio_account_sid,
        settings.reconcile_timing,
        back_off_max_seconds=settings.twilio_back_off_max_seconds,
        registry=registry,
    )


@asynccontextmanager
async def make_ending(settings: TelephonySettings) -> AsyncIterator[Ending]:
    """Build what ends what goes on after a suspension, as the service does."""
    database = await Database.connect(settings.database_url, 2, "telephony")
    registry = CollectorRegistry()
    accounts = connect_twilio(settings, registry)
    trouble = make_trouble(database, accounts, settings, registry)
    assert settings.endings
    yield Ending(database, accounts, trouble, back_off_of(settings), settings.endings)
    await accounts.close()
    await database.close()


@asynccontextmanager
async def open_parts(settings: TelephonySettings) -> AsyncIterator[Parts]:
    """Build them as the service does; nothing is driven unless a test drives it."""
    database = await Database.connect(settings.database_url, 5, "telephony")
    registry = CollectorRegistry()
    accounts = connect_twilio(settings, registry)
    creation = Creation(
        database,
        accounts,
        settings.suspension_policy,
        settings.reconcile_timing,
        lambda: None,
        trouble=make_trouble(database, accounts, settings, registry),
        back_off=back_off_of(settings),
        registry=registry,
    )
    lease_seconds = settings.reconcile_timing.lease.total_seconds()
    yield Parts(
        OrganizationOperations(database, settings.suspension_policy, lambda: None),
        SubaccountOperations(
            database, settings.suspension_policy, settings.twilio_account_sid, lambda: None
        ),
        SendingOperations(database),
        Claiming(database, settings.suspension_policy, settings.reconcile_timing),
        make_driving(database, accounts, settings),
        Recording(database, settings.suspension_policy, settings.reconcile_timing, registry),
        registry,
        ProvisionOperations(database, settings.suspension_policy, lambda: None, lease_seconds),
        creation,
    )
    await accounts.close()
    await database.close()


@asynccontextmanager
async def holding(database: ServiceDatabase, organization_id: str) -> AsyncIterator[None]:
    """Hold an organization's row as a transaction that hangs does."""
    connection = await asyncpg.connect(database.superuser_url)
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM organizations WHERE organization_id = $1 FOR UPDATE", organization_id
        )
        yield
    await connection.close()


@pytest.fixture
async def parts(settings: TelephonySettings) -> AsyncIterator[Parts]:
    """A service without its loops."""
    async with open_parts(settings) as parts:
        yield parts


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """The subaccounts' database."""
    return await make_database("telephony")


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of the service."""
    return telephony_settings(database, twilio)


@pytest.fixture
async def channel(settings: TelephonySettings) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a running service."""
    async with running(await build(settings)) as channel:
        yield channel


@pytest.fixture
def steps(channel: grpc.aio.Channel, twilio: TwilioSimulator) -> TelephonySteps:
    """What can be done with the service."""
    return TelephonySteps(channel, twilio)
