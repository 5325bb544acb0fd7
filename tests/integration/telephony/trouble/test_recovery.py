"""Trouble ends by itself: among replicas, after kills, and whatever comes late."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import aiohttp
import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.simulators.faults import Cut, Fault, Hang, Latency, Refusal, Unavailable
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.app import build
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.provisioning.steps import LIST, wish
from tests.integration.telephony.steps import ONE, blocker_name, many_sids
from tests.integration.telephony.trouble.conftest import PATIENT
from tests.integration.telephony.trouble.steps import (
    FEW_CALLS,
    TroubleSteps,
    changes_logged,
    settle,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.level_steps import ORGANIZATION
from tests.support.processes import ServiceProcess
from tests.support.services import free_address, running
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN
from tests.support.waiting import eventually

SIDS = many_sids(40)
PROBE_TIME = timedelta(milliseconds=150)


@pytest.fixture
async def forty(database: ServiceDatabase, twilio: TwilioSimulator) -> list[str]:
    """Forty active subaccounts."""
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("INSERT INTO organizations VALUES ($1)", ORGANIZATION)
    await connection.close()
    await settle(database, twilio, SIDS, ORGANIZATION, AccountStatus.ACTIVE)
    return SIDS


async def test_replicas_probe_one_at_a_time_and_what_only_seems_over_costs_few_calls(
    settings: TelephonySettings, twilio: TwilioSimulator, forty: list[str]
) -> None:
    """Probes go well, and the subaccounts' calls do not."""
    twilio.fail(Latency(PROBE_TIME // timedelta(milliseconds=1)), TWILIO_SID)
    twilio.fail(Unavailable())
    first, second = await build(settings), await build(settings)
    async with running(first) as channel, running(second):
        steps = TroubleSteps(channel, twilio)
        with changes_logged() as changes, steps.counting_calls() as calls:
            await steps.report_wallet(frozen=True)
            await steps.reach_probes(6)
        worse, better = "OK>UNAVAILABLE", "UNAVAILABLE>OK"
        assert set(changes[::2]) == {worse}
        assert set(changes[1::2]) == {better}
        assert len(calls) <= FEW_CALLS * len(changes)
        assert max(each.attempt_count for each in await steps.list_all()) <= 3
        twilio.heal()
        await steps.reach_at_twilio(AccountStatus.SUSPENDED, forty)
    times = [each.received_at for each in steps.probes]
    assert all(later - earlier >= PROBE_TIME for earlier, later in pairwise(times[:6]))


async def test_a_process_that_is_killed_while_it_probes_keeps_nobody_from_probing(
    database: ServiceDatabase,
    settings: TelephonySettings,
    twilio: TwilioSimulator,
    forty: list[str],
) -> None:
    process = ServiceProcess(
        "telephony",
        free_address(),
        {
            "TELEPHONY_DATABASE_URL": database.url,
            "TELEPHONY_TWILIO_TIMEOUT_SECONDS": "2",
            "TELEPHONY_TWILIO_BACK_OFF_MAX_SECONDS": "0.1",
            "TWILIO_ACCOUNT_SID": TWILIO_SID,
            "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "TWILIO_API_BASE": twilio.base_url,
        },
    )
    twilio.fail(Hang(), TWILIO_SID)
    twilio.fail(Cut())
    async with process.running(), grpc.aio.insecure_channel(process.address) as channel:
        steps = TroubleSteps(channel, twilio)
        await steps.report_wallet(frozen=True)
        await steps.reach_state("UNAVAILABLE")
        known = len(steps.probes)
        await eventually(lambda: probe_count(steps), lambda count: count > known, 30.0)
    twilio.heal()
    async with running(await build(settings)) as channel:
        await TroubleSteps(channel, twilio).reach_at_twilio(AccountStatus.SUSPENDED, forty)


async def probe_count(steps: TroubleSteps) -> int:
    return len(steps.probes)


async def test_what_ends_long_after_trouble_is_over_does_not_bring_it_back(
    database: ServiceDatabase, twilio: TwilioSimulator, forty: list[str]
) -> None:
    settings = telephony_settings(database, twilio, **PATIENT, twilio_concurrency=60)
    for account_sid in forty[:5]:
        twilio.fail(Hang(), account_sid, times=1)
    for account_sid in forty[5:]:
        twilio.fail(Cut(), account_sid, times=1)
    async with running(await build(settings)) as channel:
        steps = TroubleSteps(channel, twilio)
        with changes_logged() as changes:
            await steps.suspend()
            await steps.reach_at_twilio(AccountStatus.SUSPENDED, forty)
            await steps.reach_no_attempts()
    assert changes == ["OK>UNAVAILABLE", "UNAVAILABLE>OK"]


@pytest.mark.parametrize(
    ("fault", "state"),
    [(Unavailable(), "UNAVAILABLE"), (Refusal("20003", 401), "CREDENTIALS_REFUSED")],
)
async def test_whoever_asks_meanwhile_hears_of_the_trouble_until_it_is_over_and_then_no_more(
    steps: TroubleSteps, twilio: TwilioSimulator, forty: list[str], fault: Fault, state: str
) -> None:
    twilio.fail(fault)
    await steps.suspend()
    await steps.reach_state(state)
    shown = await steps.get(forty[0])
    blockers = [blocker_name(each) for each in shown.blockers]
    assert blockers == ["OPERATOR_BLOCK", "LEVELS_MISSING", "TWILIO_UNAVAILABLE"]
    registered = await steps.register(ONE)
    assert list(registered.blockers) == list(shown.blockers)
    told: list[bool] = []

    async def ask_until_it_is_over() -> None:
        while not told or told[-1]:
            blockers = await steps.sending_blockers()
            told.append("TWILIO_UNAVAILABLE" in blockers)

    asking = [asyncio.create_task(ask_until_it_is_over()) for _ in range(4)]
    await steps.reach_probes(3)
    assert all(told)
    twilio.heal()
    await asyncio.gather(*asking)
    assert await steps.state() == "OK"
    await steps.reach_at_twilio(AccountStatus.SUSPENDED, forty)
    assert await steps.sending_blockers() == [
        "OPERATOR_BLOCK",
        "LEVELS_MISSING",
        "SUBACCOUNT_NOT_ACTIVE",
    ]


async def test_trouble_is_told_in_health_and_metrics_and_the_service_serves_all_the_same(
    database: ServiceDatabase, twilio: TwilioSimulator, forty: list[str]
) -> None:
    metrics_address = free_address()
    settings = telephony_settings(database, twilio, **PATIENT, metrics_address=metrics_address)
    status = health_pb2.HealthCheckResponse
    async with running(await build(settings)) as channel, aiohttp.ClientSession() as http:
        steps = TroubleSteps(channel, twilio)
        health = health_pb2_grpc.HealthStub(channel)

        async def check(name: str) -> int:
            return int((await health.Check(health_pb2.HealthCheckRequest(service=name))).status)

        async def metrics() -> str:
            async with http.get(f"http://{metrics_address}/metrics") as answer:
                return await answer.text()

        assert await check("twilio") == status.SERVING
        assert 'tollgate_twilio_state{state="OK"} 1.0' in await metrics()
        twilio.fail(Unavailable())
        await steps.suspend()
        await eventually(lambda: check("twilio"), lambda seen: seen == status.NOT_SERVING)
        assert await check("") == status.SERVING
        assert 'tollgate_twilio_state{state="OK"} 0.0' in await metrics()
        assert 'tollgate_twilio_state{state="UNAVAILABLE"} 1.0' in await metrics()
        twilio.heal()
        await eventually(lambda: check("twilio"), lambda seen: seen == status.SERVING)


async def test_in_trouble_no_account_is_made_and_what_was_asked_for_before_is_made_after(
    steps: TroubleSteps, twilio: TwilioSimulator, forty: list[str]
) -> None:
    await steps.make_good()
    twilio.fail(Cut())
    # The intent is written, and the first attempt fails.
    unanswered = await refusal(steps.telephony.ProvisionSubaccount(wish()))
    assert unanswered.code is grpc.StatusCode.UNAVAILABLE
    await steps.report_wallet(frozen=True)
    await steps.reach_state("UNAVAILABLE")
    await steps.report_wallet()

    refused = await refusal(steps.telephony.ProvisionSubaccount(wish(reference_id="ref-2")))
    assert refused.reason == "NOT_ELIGIBLE"
    assert refused.metadata["blockers"] == "TWILIO_UNAVAILABLE"
    with steps.counting_calls() as calls:
        await steps.reach_probes((await steps.health()).probe_count + 10)
    assert sum(each.operation == LIST for each in calls) <= 1

    twilio.heal()
    await eventually(steps.list_all, lambda found: len(found) == len(forty) + 1, 60.0)
