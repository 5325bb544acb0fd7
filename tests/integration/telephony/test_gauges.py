"""Operators see how much is not as it should be, for how long, and what is to be made."""

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import grpc
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from dev.simulators.faults import Refusal
from dev.simulators.twilio import TwilioSimulator
from libs.database import Database
from libs.gauging import Gauging
from services.telephony.app import build
from services.telephony.config import TelephonySettings
from services.telephony.operations.gauging import GAUGES
from services.telephony.operations.overview import OverviewOperations
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.provisioning.steps import CREATE, ProvisionSteps
from tests.integration.telephony.steps import ONE, TWO
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import free_address, running
from tests.support.waiting import eventually
from tollgate.telephony.v1 import (
    overview_pb2,
    provision_pb2,
    telephony_service_pb2,
    twilio_health_pb2,
)

NOTHING = {
    "subaccounts drifted": 0,
    "subaccounts unsuspended": 0,
    "subaccounts failing": 0,
    "subaccounts aftermath_failing": 0,
    "provisions open": 0,
    "provisions failing": 0,
}
GAUGE = re.compile(r'^tollgate_(subaccounts|provisions)\{standing="(\w+)"\} (\S+)$', re.MULTILINE)
# Before that nobody is in the midst of writing them.
LOCK_ALL = "SELECT FROM organizations FOR UPDATE"
AN_HOUR_AGO = """
UPDATE subaccounts
SET drift_time = drift_time - interval '1 hour', failing_time = failing_time - interval '1 hour',
    aftermath_failing_time = aftermath_failing_time - interval '1 hour'
"""
INTENDED_LONG_AGO = "UPDATE provisions SET create_time = create_time - interval '1 hour'"
LIMIT_REACHED = Refusal("21480", 400)


class Sight:
    """What a process shows that watches the database."""

    def __init__(self, database: Database) -> None:
        self._registry = CollectorRegistry()
        overview = OverviewOperations(database)
        self._gauging = Gauging(overview.read, GAUGES, self._registry)

    async def look(self) -> dict[str, float]:
        """Return what there is of what is counted."""
        await self._gauging.look()
        shown = {
            f"{noun} {standing}": self._registry.get_sample_value(
                f"tollgate_{noun}", {"standing": standing}
            )
            for noun, standing in (name.split() for name in NOTHING)
        }
        return {name: count for name, count in shown.items() if count}

    def oldest_seconds(self, noun: str, standing: str) -> float:
        """Return for how long the oldest has been so, as of the last look."""
        name = f"tollgate_oldest_{noun}_seconds"
        return self._registry.get_sample_value(name, {"standing": standing}) or 0.0


@pytest.fixture
async def sight(database: ServiceDatabase) -> AsyncIterator[Sight]:
    """What operators see."""
    connected = await Database.connect(SecretStr(database.url), 1, "telephony")
    yield Sight(connected)
    await connected.close()


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of a service that ends calls, and is not in doubt if Twilio is slow to answer."""
    return telephony_settings(database, twilio, end_calls=True, twilio_timeout_seconds=10.0)


@pytest.fixture
def steps(channel: grpc.aio.Channel, twilio: TwilioSimulator) -> ProvisionSteps:
    """What can be done with the service."""
    return ProvisionSteps(channel, twilio)


async def rewrite(database: ServiceDatabase, statement: str) -> None:
    """Change what the running service may be about to write, and lose none of it."""
    connection = await asyncpg.connect(database.superuser_url)
    async with connection.transaction():
        await connection.execute(LOCK_ALL)
        await connection.execute(statement)
    await connection.close()


async def test_what_drifts_and_fails_is_counted_with_the_age_of_the_oldest(
    steps: ProvisionSteps, twilio: TwilioSimulator, database: ServiceDatabase, sight: Sight
) -> None:
    await steps.let_send(ONE, TWO)
    await eventually(sight.look, lambda seen: seen == {})
    assert sight.oldest_seconds("subaccount", "drifted") == 0
    twilio.fail(Refusal("20404", 404), ONE)
    twilio.fail(Refusal("29999", 400), TWO, operation="list_call")
    await steps.report_wallet(frozen=True)
    await eventually(
        sight.look,
        lambda seen: (
            seen
            == {
                "subaccounts drifted": 1,
                "subaccounts unsuspended": 1,
                "subaccounts failing": 1,
                "subaccounts aftermath_failing": 1,
            }
        ),
    )
    await rewrite(database, AN_HOUR_AGO)
    await sight.look()
    for standing in ("drifted", "unsuspended", "failing", "aftermath_failing"):
        assert 3600 <= sight.oldest_seconds("subaccount", standing) < 3700
    twilio.heal()
    await eventually(sight.look, lambda seen: seen == {})


async def test_what_is_not_made_yet_is_counted_and_listed_with_why_and_what_happens_next(
    steps: ProvisionSteps, twilio: TwilioSimulator, database: ServiceDatabase, sight: Sight
) -> None:
    await steps.make_good()
    made = await steps.made(reference_id="ref-0")
    # What was made is asked for how it stands, a moment later.
    await eventually(sight.look, lambda seen: seen == {})
    twilio.fail(LIMIT_REACHED, operation=CREATE)
    for number in (1, 2):
        await refusal(steps.ask(reference_id=f"ref-{number}"))
    await rewrite(database, INTENDED_LONG_AGO)
    assert await sight.look() == {"provisions open": 2, "provisions failing": 2}
    assert 3600 <= sight.oldest_seconds("provision", "open") < 3700
    assert 0 < sight.oldest_seconds("provision", "failing") < 3600

    async def listed(**which: Any) -> list[provision_pb2.Provision]:
        request = telephony_service_pb2.ListProvisionsRequest(**which)
        return list((await steps.telephony.ListProvisions(request)).provisions)

    first, second = await listed(open=True)
    assert (first.reference_id, second.reference_id) == ("ref-1", "ref-2")
    assert (first.organization_id, first.brand_id) == ("org-1", "acme")
    assert (first.friendly_name, first.account_sid) == ("Acme Ltd", "")
    assert "21480" in first.last_error
    assert "ask for more" in first.last_error
    assert first.attempt_count > 0
    assert first.failing_time.ToDatetime() > first.create_time.ToDatetime()
    assert first.next_attempt_time.ToDatetime() > first.create_time.ToDatetime()
    assert not first.HasField("register_time")
    [done] = await listed(open=False)
    assert (done.reference_id, done.account_sid) == ("ref-0", made)
    assert (done.HasField("register_time"), done.HasField("failing_time")) == (True, False)
    assert [each.reference_id for each in await listed(failing=False)] == ["ref-0"]
    assert [each.reference_id for each in await listed(failing=True)] == ["ref-1", "ref-2"]
    assert await listed(organization_id="org-2") == []
    twilio.heal()
    await eventually(sight.look, lambda seen: seen == {})
    assert len(await listed(open=False, organization_id="org-1")) == 3


async def test_intents_are_listed_page_by_page(steps: ProvisionSteps) -> None:
    await steps.make_good()
    await steps.make_good("org-2")
    wanted = [("org-1", "ref-1"), ("org-1", "ref-2"), ("org-2", "ref-1")]
    for organization_id, reference_id in wanted:
        await steps.made(organization_id=organization_id, reference_id=reference_id)
    seen: list[tuple[str, str]] = []
    token = ""
    while len(seen) < len(wanted):
        request = telephony_service_pb2.ListProvisionsRequest(page_size=1, page_token=token)
        answer = await steps.telephony.ListProvisions(request)
        [each] = answer.provisions
        seen.append((each.organization_id, each.reference_id))
        token = answer.next_page_token
    assert seen == wanted
    assert token == ""
    made_up = telephony_service_pb2.ListProvisionsRequest(page_token="made up")
    assert (await refusal(steps.telephony.ListProvisions(made_up))).reason == "INVALID_ARGUMENT"


async def test_a_service_shows_all_of_it_from_the_start(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    metrics_address = free_address()
    settings = telephony_settings(database, twilio, metrics_address=metrics_address)
    async with running(await build(settings)), aiohttp.ClientSession() as http:

        async def shown() -> dict[str, float]:
            async with http.get(f"http://{metrics_address}/metrics") as answer:
                found = GAUGE.findall(await answer.text())
            return {f"{noun} {standing}": float(count) for noun, standing, count in found}

        await eventually(shown, lambda counts: counts == NOTHING)


async def test_the_overview_tells_who_it_is_that_stands_otherwise(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    request = telephony_service_pb2.GetOverviewRequest()

    async def overview() -> overview_pb2.TelephonyOverview:
        return (await steps.telephony.GetOverview(request)).overview

    await steps.make_good()
    seen = await overview()
    assert seen.twilio.state == twilio_health_pb2.TWILIO_STATE_OK
    assert (seen.drifted.count, seen.drifted.HasField("oldest_time")) == (0, False)
    await steps.let_send(ONE, TWO)
    twilio.fail(Refusal("20404", 404), ONE)
    twilio.fail(LIMIT_REACHED, operation=CREATE)
    await refusal(steps.ask(reference_id="ref-1"))
    await steps.telephony.SuspendSubaccounts(
        telephony_service_pb2.SuspendSubaccountsRequest(organization_id="org-1", note="abuse")
    )
    seen = await eventually(
        overview,
        lambda seen: (seen.drifted.count, seen.failing.count, seen.unsuspended.count) == (1, 1, 1),
    )
    for each in (seen.drifted, seen.unsuspended, seen.failing, seen.open_provisions):
        assert (each.count, each.oldest_organization_id) == (1, "org-1")
        assert each.HasField("oldest_time")
    assert seen.failing_provisions.count == 1
    assert seen.aftermath_failing.count == 0
    assert seen.blocked_organization_count == 1
    twilio.fail(Refusal("20404", 404), TWO)
    await steps.telephony.ReactivateSubaccounts(
        telephony_service_pb2.ReactivateSubaccountsRequest(organization_id="org-1", note="no more")
    )
    # It is suspended and should be active: that costs nothing.
    seen = await eventually(
        overview, lambda seen: (seen.drifted.count, seen.unsuspended.count) == (1, 0)
    )
    assert seen.blocked_organization_count == 0
