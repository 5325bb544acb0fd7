"""Whatever Twilio does, and whoever dies when, every subaccount ends as it must."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest

from dev.simulators.faults import (
    Fault,
    Hang,
    Latency,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.app import build
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import ObservedState
from tests.integration.telephony.conftest import open_parts, telephony_settings
from tests.integration.telephony.levels import wallet_level
from tests.integration.telephony.steps import (
    ACTIVE,
    ONE,
    SUSPENDED,
    THREE,
    TWO,
    Sight,
    TelephonySteps,
    many_sids,
    observed_name,
)
from tests.support.databases import ServiceDatabase, ServiceDatabases
from tests.support.level_steps import ORGANIZATION
from tests.support.services import running
from tests.support.waiting import eventually

FLIPS = 40

PASSING_FAULTS = [
    Hang(),
    Unavailable(),
    TooManyRequests(),
    LostAnswer(),
    Refusal("20003", 401),
    Refusal("20500", 500),
]


@pytest.mark.parametrize("fault", PASSING_FAULTS, ids=repr)
async def test_suspending_and_activating_get_over(
    steps: TelephonySteps, twilio: TwilioSimulator, fault: Fault
) -> None:
    await steps.let_send(ONE)
    twilio.fail(fault, ONE, times=2)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    twilio.fail(fault, ONE, times=2)
    await steps.report_wallet()
    await steps.reach(ACTIVE)
    subaccount = await steps.get()
    assert (subaccount.last_error, subaccount.attempt_count) == ("", 0)


async def test_twilio_is_left_in_peace_for_as_long_as_it_asks(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    twilio.fail(TooManyRequests(retry_after_seconds=30), ONE)
    before = datetime.now(UTC)
    await steps.report_wallet(frozen=True)
    busy = await eventually(lambda: steps.get(ONE), lambda seen: "429" in seen.last_error)
    waits = busy.next_attempt_time.ToDatetime(tzinfo=UTC) - before
    assert waits > timedelta(seconds=29)


@pytest.mark.parametrize("fault", [Hang(), Refusal("20404", 404)], ids=repr)
async def test_one_that_fails_does_not_keep_the_others(
    steps: TelephonySteps, twilio: TwilioSimulator, fault: Fault
) -> None:
    await steps.let_send(ONE, TWO, THREE)
    twilio.fail(fault, TWO)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED, ONE, THREE)
    failing = await eventually(lambda: steps.get(TWO), lambda seen: bool(seen.last_error))
    assert failing.drifted
    assert failing.attempt_count > 0
    assert await steps.list_sids() == [ONE, TWO, THREE]
    twilio.heal()
    await steps.reach(SUSPENDED, TWO)


async def test_activations_that_hang_do_not_hold_up_suspensions(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    hanging = many_sids(20)
    twilio.fail(Hang())
    await steps.make_good("org-2")
    for account_sid in hanging:
        await steps.register(account_sid, "org-2")
    twilio.heal()
    for account_sid in hanging:
        twilio.fail(Hang(), account_sid)
    await steps.register(ONE)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    assert (await steps.get(hanging[-1])).drifted


async def test_an_organization_that_is_held_up_does_not_hold_up_suspensions_of_others(
    steps: TelephonySteps, database: ServiceDatabase
) -> None:
    held = many_sids(8)
    await steps.let_send(ONE)
    await steps.make_good("org-held")
    for account_sid in held:
        await steps.register(account_sid, "org-held")
    await steps.reach(ACTIVE, *held)
    connection = await asyncpg.connect(database.superuser_url)
    async with connection.transaction():
        await connection.execute(
            "UPDATE subaccounts SET wanted = 'SUSPENDED', urgent = true, drift_time = now(), "
            "next_attempt_time = now() "
            "WHERE organization_id = 'org-held'"
        )
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM organizations WHERE organization_id = 'org-held' FOR UPDATE"
        )
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED, ONE)
    await connection.close()


async def test_a_twilio_that_hangs_holds_up_no_rpc(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    settings = telephony_settings(
        database, twilio, twilio_timeout_seconds=10.0, stop_grace_seconds=0.5
    )
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE, TWO)
        twilio.fail(Hang())
        async with asyncio.timeout(8.0):  # less than one call's time limit
            await steps.report_wallet(frozen=True)
            await steps.suspend()
            assert "WALLET_FROZEN" in await steps.sending_blockers()
            await steps.register(THREE)


async def test_bad_news_during_an_activation_ends_suspended(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    twilio.fail(Latency(200))
    await steps.let_send(ONE)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    async with asking(twilio, "active"):
        await steps.report_wallet()

    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    assert_never_two_calls_at_once(twilio, ONE, timedelta(milliseconds=200))


async def test_good_news_during_a_suspension_ends_active(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    twilio.fail(Latency(200), ONE)
    async with asking(twilio):
        await steps.report_wallet(frozen=True)
    await steps.report_wallet()
    await steps.reach(ACTIVE)


async def test_an_activation_that_takes_effect_long_after_it_was_given_up_is_undone(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    twilio.fail(Latency(0), ONE, times=1)  # the look before the activation
    twilio.fail(Latency(900), ONE, times=1)
    async with asking(twilio, "active"):
        await steps.report_wallet()
    await steps.report_wallet(frozen=True)
    await steps.reach(Sight("SUSPENDED", "SUSPENDED", "suspended", settled=False))

    async def at_twilio() -> AccountStatus:
        return twilio.status(ONE)

    await eventually(at_twilio, lambda status: status == AccountStatus.ACTIVE)
    await steps.reach(SUSPENDED)


async def test_what_twilio_closed_is_left_alone_for_ever(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE, TWO)
    twilio.set_status(ONE, AccountStatus.CLOSED)
    await steps.report_wallet(frozen=True)
    await steps.reach(Sight("SUSPENDED", "CLOSED", "closed", settled=True), ONE)
    await steps.report_wallet()
    await steps.reach(ACTIVE, TWO)
    closed = await steps.get(ONE)
    assert (observed_name(closed.observed), closed.drifted) == ("CLOSED", False)
    assert await steps.sending_blockers() == []


async def test_what_twilio_itself_suspended_is_reported_and_tried_again(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    twilio.fail(Latency(0), ONE, times=1)  # the look before the activation
    twilio.fail(Refusal("21478", 400), ONE, times=1)
    await steps.make_good()
    await steps.register(ONE)
    await eventually(lambda: steps.get(ONE), lambda seen: "21478" in seen.last_error)
    await steps.reach(ACTIVE)


@pytest.mark.parametrize("milliseconds", [0, 300])
async def test_a_process_that_dies_between_claim_and_record_leaves_nothing_behind(
    settings: TelephonySettings, twilio: TwilioSimulator, milliseconds: int
) -> None:
    """An activation is on its way when the process dies and the bad news comes."""
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED)
    twilio.fail(Latency(milliseconds), ONE, times=2)
    await activate_and_die(settings, twilio)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.report_wallet(frozen=True, revision=101)
        assert (await steps.look()).observed == "UNKNOWN"
        await steps.reach(SUSPENDED)


async def test_a_service_that_stops_finishes_the_call_in_hand(
    settings: TelephonySettings, twilio: TwilioSimulator
) -> None:
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        twilio.fail(Latency(200), ONE)
        async with asking(twilio, "suspended"):
            await steps.report_wallet(frozen=True)
    async with open_parts(settings) as parts:
        subaccount = (await parts.subaccounts.get(ONE)).subaccount
    assert subaccount.observed is ObservedState.SUSPENDED
    assert subaccount.lease_end_time is None


async def test_cut_connections_to_the_database_are_got_over(
    steps: TelephonySteps,
    twilio: TwilioSimulator,
    database: ServiceDatabase,
    databases: ServiceDatabases,
) -> None:
    await steps.let_send(ONE, TWO)
    twilio.fail(Latency(100))
    async with asking(twilio, "suspended"):
        await steps.report_wallet(frozen=True)
    await databases.kill_connections(database)
    await steps.reach(SUSPENDED, ONE, TWO)


async def test_two_processes_never_call_for_one_subaccount_at_once(
    settings: TelephonySettings, twilio: TwilioSimulator
) -> None:
    account_sids = many_sids(6)
    twilio.fail(Latency(60))
    first, second = await build(settings), await build(settings)
    async with running(first) as channel, running(second):
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(*account_sids)
        for _ in range(FLIPS):
            await steps.report_wallet(frozen=True)
            await steps.report_wallet()
        await steps.reach(ACTIVE, *account_sids)
    for account_sid in account_sids:
        assert_never_two_calls_at_once(twilio, account_sid, timedelta(milliseconds=60))


async def test_a_slot_is_kept_for_suspensions_and_no_more_calls_are_made_than_allowed(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    account_sids = many_sids(6)
    settings = telephony_settings(database, twilio, twilio_concurrency=2)
    twilio.fail(Latency(50))
    async with running(await build(settings)) as channel:
        await TelephonySteps(channel, twilio).let_send(*account_sids)
    times = sorted(request.received_at for request in twilio.requests)
    assert_serial(times, timedelta(milliseconds=50))


@asynccontextmanager
async def asking(twilio: TwilioSimulator, status: str | None = None) -> AsyncIterator[None]:
    """Wait at the end until Twilio has been asked since the beginning: anything, or for a state."""

    def asked_count() -> int:
        return sum(status in (None, request.status_asked) for request in twilio.requests)

    before = asked_count()
    yield
    while asked_count() == before:
        await twilio.wait_for_requests(len(twilio.requests) + 1)


def assert_never_two_calls_at_once(
    twilio: TwilioSimulator, account_sid: str, latency: timedelta
) -> None:
    times = defaultdict(list)
    for request in twilio.requests:
        times[request.sid].append(request.received_at)
    assert_serial(times[account_sid], latency)


def assert_serial(times: list[datetime], latency: timedelta) -> None:
    """Each request took that long, so the next one must not have come earlier."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap >= latency for gap in gaps), gaps


async def activate_and_die(settings: TelephonySettings, twilio: TwilioSimulator) -> None:
    """Take the good news, and end as a killed process does when Twilio has the activation."""
    async with open_parts(settings) as parts:
        good_news = wallet_level(revision=100, frozen=False)
        await parts.organizations.observe_wallet(ORGANIZATION, good_news)
        async with asking(twilio, "active"):
            driving = asyncio.create_task(parts.reconcile())
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
