"""What became of subaccounts, and why: as an operator reads it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg

from dev.simulators.faults import Latency, LostAnswer, Refusal
from dev.simulators.twilio import TwilioSimulator
from services.telephony.app import build
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.levels import make_good, subscription_level, wallet_level
from tests.integration.telephony.steps import ACTIVE, ONE, SUSPENDED, TWO, TelephonySteps
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.services import running
from tests.support.waiting import eventually

FLIPS = 30


async def test_each_cause_is_told(steps: TelephonySteps) -> None:
    await steps.let_send(ONE)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    await steps.report_wallet()
    await steps.reach(ACTIVE)
    await steps.suspend()
    await steps.reach(SUSPENDED)
    await steps.reactivate()
    await steps.reach(ACTIVE)
    await steps.report_subscription(good=False)
    await steps.reach(SUSPENDED)
    assert [change.line for change in reversed(await steps.list_changes())] == [
        "REGISTERED UNSPECIFIED>ACTIVE UNKNOWN>UNKNOWN",
        "TWILIO ACTIVE>ACTIVE UNKNOWN>ACTIVE",
        "WALLET ACTIVE>SUSPENDED ACTIVE>ACTIVE",
        "TWILIO SUSPENDED>SUSPENDED ACTIVE>SUSPENDED",
        "WALLET SUSPENDED>ACTIVE SUSPENDED>SUSPENDED",
        "TWILIO ACTIVE>ACTIVE SUSPENDED>ACTIVE",
        "OPERATOR ACTIVE>SUSPENDED ACTIVE>ACTIVE",
        "TWILIO SUSPENDED>SUSPENDED ACTIVE>SUSPENDED",
        "OPERATOR SUSPENDED>ACTIVE SUSPENDED>SUSPENDED",
        "TWILIO ACTIVE>ACTIVE SUSPENDED>ACTIVE",
        "SUBSCRIPTION ACTIVE>SUSPENDED ACTIVE>ACTIVE",
        "TWILIO SUSPENDED>SUSPENDED ACTIVE>SUSPENDED",
    ]
    people = [(change.actor, change.note) for change in await steps.list_changes() if change.actor]
    assert people == [("ann", ""), ("ann", "complaints")]


async def test_what_changes_nothing_leaves_no_line(steps: TelephonySteps) -> None:
    await steps.let_send(ONE)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED)
    before = await steps.list_changes()
    await steps.report_subscription(good=False)
    await steps.reactivate()
    await steps.register(ONE)
    assert await steps.list_changes() == before


async def test_what_time_has_changed_is_told_with_its_time(parts: Parts) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    lapse_time = datetime.now(UTC) + timedelta(milliseconds=100)
    level = subscription_level(revision=2, good_until=lapse_time)
    await parts.organizations.observe_subscription(ORGANIZATION, level)
    await eventually(
        lambda: parts.sending.find_blockers(ORGANIZATION, ""),
        lambda found: "SUBSCRIPTION_INACTIVE" in found,
    )
    seen_before = await parts.subaccounts.get(ONE)
    # A level that comes before the worker does is not why it is suspended.
    bad_news = wallet_level(revision=2, frozen=True)
    await parts.organizations.observe_wallet(ORGANIZATION, bad_news)
    change = (await parts.list_changes())[0]
    assert (change.reason.cause, change.create_time) == ("TIME", lapse_time)
    seen_after = await parts.subaccounts.get(ONE)
    assert seen_before.subaccount.wanted == seen_after.subaccount.wanted == "SUSPENDED"


async def test_history_is_listed_newest_first_in_pages_and_by_every_filter(
    steps: TelephonySteps,
) -> None:
    await steps.let_send(ONE, TWO)
    await steps.make_good("org-2")
    await steps.register(f"AC{'3' * 32}", "org-2")
    await steps.reach(ACTIVE, f"AC{'3' * 32}")
    everything = await steps.list_changes()
    assert len(everything) == 6
    times = [change.time for change in everything]
    assert times == sorted(times, reverse=True)
    assert await steps.list_changes(page_size=2) == everything
    of_one = await steps.list_changes(account_sid=ONE)
    assert of_one == [change for change in everything if change.account_sid == ONE]
    of_two = await steps.list_changes(organization_id="org-2")
    assert of_two == [change for change in everything if change.account_sid.endswith("3" * 32)]
    middle = everything[2].time
    since = await steps.list_changes(start_time=middle)
    until = await steps.list_changes(end_time=middle)
    assert [*since, *until] == everything
    assert everything[2] in since


async def test_since_when_it_drifts_and_fails_why_and_what_comes_next(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    well = await steps.get()
    assert not well.HasField("drift_time")
    assert not well.HasField("failing_time")
    twilio.fail(Refusal("21478", 400), ONE)
    await steps.report_wallet(frozen=True)
    failing = await eventually(steps.get, lambda seen: seen.attempt_count > 2)
    assert failing.drift_time.ToDatetime() <= failing.failing_time.ToDatetime()
    assert "Twilio's support" in failing.last_error
    assert failing.HasField("next_attempt_time")
    still = await eventually(steps.get, lambda seen: seen.attempt_count > 4)
    assert (still.drift_time, still.failing_time) == (failing.drift_time, failing.failing_time)
    assert sum(bool(change.error) for change in await steps.list_changes()) == 1
    twilio.heal()
    await steps.reach(SUSPENDED)
    healed = await steps.get()
    assert not healed.HasField("drift_time")
    assert not healed.HasField("failing_time")


async def test_the_history_has_no_gaps_whatever_happened(
    settings: TelephonySettings, twilio: TwilioSimulator, database: ServiceDatabase
) -> None:
    """Each line begins where the one before ended, and the last one is how it stands."""
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE, TWO)
        twilio.fail(LostAnswer(), ONE, times=3)
        twilio.fail(Refusal("20003", 401), TWO, times=3)
        twilio.fail(Latency(30))
        for number in range(FLIPS):
            await steps.report_wallet(frozen=number % 2 == 0)
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED, ONE, TWO)
        for account_sid in (ONE, TWO):
            history = [*reversed(await steps.list_changes(account_sid=account_sid))]
            for before, after in pairwise(history):
                assert before.ended == after.began
            assert history[-1].ended == ("SUSPENDED", "SUSPENDED")
            assert not [change for change in history if "DRIFT" in change.line]


async def test_no_line_is_ever_changed(database: ServiceDatabase) -> None:
    connection = await asyncpg.connect(database.url)
    for statement in ("UPDATE subaccount_changes SET note = ''", "DELETE FROM subaccount_changes"):
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        raise AssertionError(statement)
    await connection.close()
