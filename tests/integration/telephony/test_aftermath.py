"""After a suspension what goes on is ended, told, and looked at until nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from dev.simulators.faults import Hang, Latency, Refusal, Unavailable
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.calls import CallStatus
from dev.simulators.twilio.messages import MessageStatus
from dev.simulators.twilio.rules import Rules
from services.telephony.app import build
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import DueSearch, Work
from services.telephony.operations.recording import Outcome
from tests.integration.telephony.conftest import Parts, make_ending, telephony_settings
from tests.integration.telephony.levels import make_good, wallet_level
from tests.integration.telephony.steps import ACTIVE, ONE, SUSPENDED, THREE, TWO, TelephonySteps
from tests.integration.telephony.traffic import call, open_calls, schedule
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2

ON = {"end_calls": True, "cancel_scheduled_messages": True}
FOUR, FIVE = (f"AC{digit * 32}" for digit in "45")


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of a service that ends what goes on, and looks again soon."""
    return telephony_settings(database, twilio, **ON, twilio_recheck_seconds=0.2)


def asked(twilio: TwilioSimulator, *operations: str) -> int:
    return sum(each.operation in operations for each in twilio.requests)


async def follow(
    steps: TelephonySteps, is_reached: Callable[[subaccount_pb2.Aftermath], bool]
) -> subaccount_pb2.Aftermath:
    """Wait until what follows the suspension stands so."""

    async def look() -> subaccount_pb2.Aftermath:
        return (await steps.get()).aftermath

    return await eventually(look, is_reached, 30.0)


def is_clear(aftermath: subaccount_pb2.Aftermath) -> bool:
    return aftermath.HasField("clear_time")


async def lines(steps: TelephonySteps) -> list[tuple[int, int, str]]:
    """Read what history tells of what followed, newest first."""
    return [
        (change.ended_call_count, change.canceled_message_count, change.error)
        for change in await steps.list_changes()
        if change.line.startswith("AFTERMATH")
    ]


async def test_calls_are_ended_and_scheduled_messages_canceled_after_the_suspension(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    call(twilio, 3)
    ringing, queued, _ = (each.sid for each in twilio.calls(ONE))
    twilio.set_call_status(ringing, CallStatus.RINGING)
    twilio.set_call_status(queued, CallStatus.QUEUED)
    await schedule(twilio)
    await schedule(twilio, ScheduleType="", From="+15550002222")

    await steps.report_wallet(frozen=True)

    aftermath = await follow(steps, is_clear)
    assert (aftermath.ended_call_count, aftermath.canceled_message_count) == (3, 1)
    assert open_calls(twilio) == 0
    assert [each.status for each in twilio.messages(ONE)] == [
        MessageStatus.FAILED,
        MessageStatus.CANCELED,
    ]
    assert await lines(steps) == [(3, 1, "")]
    operations = [each.operation for each in twilio.requests]
    assert operations.index("list_call") > operations.index("update_account")
    # Twilio's lists may be behind: the first that are empty are not the last.
    looks = asked(twilio, "list_call")
    await eventually(lambda: async_count(twilio, "list_call"), lambda count: count > looks)
    assert is_clear((await steps.get()).aftermath)


async def async_count(twilio: TwilioSimulator, *operations: str) -> int:
    return asked(twilio, *operations)


async def test_more_calls_than_one_look_ends_and_more_that_come_are_all_ended(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    call(twilio, 70)
    twilio.fail(Latency(20), operation="update_call")
    ended = [each.sid for each in twilio.calls(ONE)][:20]
    for sid in ended:
        twilio.set_call_status(sid, CallStatus.COMPLETED)
    await steps.report_wallet(frozen=True)
    await eventually(lambda: async_count(twilio, "update_call"), lambda count: count > 5)
    for sid in ended:
        twilio.set_call_status(sid, CallStatus.IN_PROGRESS)
    await follow(steps, is_clear)
    assert open_calls(twilio) == 0


@pytest.mark.parametrize(
    ("operation", "fault", "code"),
    [
        ("update_call", Refusal("10001", 403), "10001"),
        ("update_call", Refusal("29999", 400), "29999"),
        ("list_call", Refusal("20003", 401), "20003"),
        ("list_call", Unavailable(503), "503"),
        ("list_message", Refusal("20003", 401), "20003"),
        ("update_message", Refusal("29999", 400), "29999"),
    ],
)
async def test_what_twilio_refuses_to_end_is_told_and_tried_again_and_activates_nobody(
    steps: TelephonySteps, twilio: TwilioSimulator, operation: str, fault: Refusal, code: str
) -> None:
    await steps.let_send(ONE)
    call(twilio, 1)
    await schedule(twilio)
    asked_before = len(twilio.requests)
    twilio.fail(fault, operation=operation)
    await steps.report_wallet(frozen=True)

    failing = await follow(steps, lambda seen: seen.attempt_count > 1)
    assert code in failing.last_error
    assert not is_clear(failing)
    assert failing.HasField("failing_time")
    assert (await steps.look()).at_twilio == "suspended"
    [(_, _, error)] = await lines(steps)
    assert code in error

    twilio.heal(operation=operation)
    aftermath = await follow(steps, is_clear)
    assert (aftermath.ended_call_count, aftermath.canceled_message_count) == (1, 1)
    assert not aftermath.last_error
    statuses = {each.status_asked for each in twilio.requests[asked_before:]}
    assert "active" not in statuses


async def test_an_account_that_is_not_changed_while_suspended_stays_suspended(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    twilio.set_rules(Rules(updates_while_suspended=False))
    await steps.let_send(ONE)
    call(twilio, 1)
    await steps.report_wallet(frozen=True)
    await follow(steps, lambda seen: "10001" in seen.last_error and seen.attempt_count > 1)
    assert (await steps.look()).at_twilio == "suspended"
    assert open_calls(twilio) == 1


async def test_nothing_more_is_ended_once_the_suspension_is_lifted(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    call(twilio, 18)
    twilio.fail(Latency(200), operation="update_call")
    await steps.report_wallet(frozen=True)
    await eventually(lambda: async_count(twilio, "update_call"), lambda count: count > 1)
    await steps.report_wallet()
    ending = asked(twilio, "update_call")
    await steps.reach(ACTIVE)
    # One may have been under way.
    assert asked(twilio, "update_call") <= ending + 1
    assert open_calls(twilio) > 0
    assert not (await steps.get()).HasField("aftermath")


async def test_what_is_suspended_already_when_it_is_registered_is_looked_at_as_well(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    call(twilio, 1)
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    await steps.register(ONE)
    await eventually(steps.look, lambda seen: seen.observed == "SUSPENDED")
    assert open_calls(twilio) == 1
    await steps.report_subscription(good=False)
    assert (await follow(steps, is_clear)).ended_call_count == 1


@asynccontextmanager
async def served(
    settings: TelephonySettings, twilio: TwilioSimulator
) -> AsyncIterator[TelephonySteps]:
    async with running(await build(settings)) as channel:
        yield TelephonySteps(channel, twilio)


async def test_a_sweep_that_finds_calls_again_ends_them_and_tells(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    quick = telephony_settings(
        database, twilio, **ON, twilio_recheck_seconds=0.1, twilio_sweep_seconds=0.2
    )
    async with served(quick, twilio) as steps:
        call(twilio, 1)
        await steps.make_good()
        await steps.report_wallet(frozen=True)
        await steps.register(ONE)
        await follow(steps, is_clear)
        [found] = twilio.calls(ONE)
        twilio.set_call_status(found.sid, CallStatus.IN_PROGRESS)
        await follow(steps, lambda seen: is_clear(seen) and seen.ended_call_count == 2)
        assert await lines(steps) == [(2, 0, ""), (2, 0, ""), (1, 0, "")]
        assert open_calls(twilio) == 0


async def test_no_suspension_waits_for_what_follows_others(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """Twilio answers nobody who ends a call, for longer than this test waits."""
    few = telephony_settings(
        database,
        twilio,
        **ON,
        twilio_concurrency=2,
        twilio_timeout_seconds=60.0,
        stop_grace_seconds=0.1,
    )
    async with served(few, twilio) as steps:
        await steps.let_send(ONE, THREE)
        for account_sid in (TWO, FOUR):
            await steps.make_good(account_sid)
            await steps.register(account_sid, organization_id=account_sid)
        await steps.reach(ACTIVE, TWO, FOUR)
        for account_sid in (ONE, THREE):
            call(twilio, 1, account_sid)
        twilio.fail(Hang(), operation="update_call")
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED, ONE, THREE)
        await eventually(lambda: async_count(twilio, "update_call"), lambda count: count > 0)
        # This would take the last slot, and never give it back.
        twilio.fail(Hang(), operation="fetch_account")
        await steps.register(FIVE, organization_id="org-5")
        for account_sid in (TWO, FOUR):
            await steps.report_wallet(frozen=True, organization_id=account_sid)
            await steps.reach(SUSPENDED, account_sid)
        assert open_calls(twilio) + open_calls(twilio, THREE) == 2


@pytest.mark.parametrize(
    ("setting", "operation"),
    [("end_calls", "list_message"), ("cancel_scheduled_messages", "list_call")],
)
async def test_nothing_is_ended_where_a_setting_says_so(
    database: ServiceDatabase, twilio: TwilioSimulator, setting: str, operation: str
) -> None:
    only = telephony_settings(database, twilio, **{**ON, setting: False})
    async with served(only, twilio) as steps:
        await steps.make_good()
        await steps.report_wallet(frozen=True)
        await steps.register(ONE)
        await follow(steps, is_clear)
    assert asked(twilio, operation) > 0
    assert asked(twilio, "list_call", "list_message") == asked(twilio, operation)


async def test_scheduled_messages_behind_many_others_are_found(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    await schedule(twilio)
    for _ in range(205):
        await schedule(twilio, ScheduleType="", From="+15550002222")
    await schedule(twilio)
    await steps.report_wallet(frozen=True)
    assert (await follow(steps, is_clear)).canceled_message_count == 2
    assert asked(twilio, "list_message") == 2


async def stop_with_calls(parts: Parts, twilio: TwilioSimulator, count: int) -> None:
    """Suspend an account in which people talk, without looking at them."""
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    call(twilio, count)
    await make_good(parts.organizations, ORGANIZATION)
    await parts.organizations.observe_wallet(ORGANIZATION, wallet_level(revision=2, frozen=True))
    await parts.reconcile()


async def test_no_call_is_ended_when_the_lease_leaves_no_time_for_it(
    parts: Parts, settings: TelephonySettings, twilio: TwilioSimulator
) -> None:
    await stop_with_calls(parts, twilio, 3)
    [claim] = (await parts.claiming.claim_due(DueSearch(Work.AFTERMATH, [], limit=10))).claims
    now = asyncio.get_running_loop().time()
    late = replace(claim, deadline=now + settings.twilio_timeout_seconds)
    async with make_ending(settings) as ending:
        answer = await ending.drive(late)
    assert (answer.failure, answer.clear, answer.found_call_count) == (None, False, 3)
    assert asked(twilio, "update_call") == 0
    assert open_calls(twilio) == 3


async def test_who_dies_before_it_is_written_down_is_followed_by_one_who_finds_the_rest(
    parts: Parts, settings: TelephonySettings, twilio: TwilioSimulator
) -> None:
    await stop_with_calls(parts, twilio, 25)
    search = DueSearch(Work.AFTERMATH, [], limit=10)
    [claim] = (await parts.claiming.claim_due(search)).claims
    async with make_ending(settings) as ending:
        await ending.drive(claim)
        assert open_calls(twilio) == 5
        # Nobody else may end anything until the lease ends.
        assert (await parts.claiming.claim_due(search)).claims == []
        assert not await parts.claim(urgent=False)

        async def claim_again() -> bool:
            claims = (await parts.claiming.claim_due(search)).claims
            for each in claims:
                await parts.recording.record(Outcome(each, await ending.drive(each)))
            return bool(claims)

        await eventually(claim_again, lambda claimed: claimed, 30.0)
    assert open_calls(twilio) == 0
    # The first process's word comes too late.
    stale = await parts.subaccounts.get(ONE)
    await parts.recording.record(Outcome(claim, None))
    assert (await parts.subaccounts.get(ONE)).subaccount == stale.subaccount
