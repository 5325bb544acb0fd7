"""The setting bounds all calls to Twilio of a process, and no suspension waits behind others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from dev.simulators.faults import Hang, Load
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.app import build
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.provisioning.steps import LIST, ProvisionSteps, wish
from tests.integration.telephony.steps import ACTIVE, ONE, SUSPENDED, TWO, many_sids
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually

OTHER, NEW = "org-2", "org-3"
COUNT = 15
SIDS = many_sids(2 * COUNT)
TO_SUSPEND, TO_ACTIVATE = SIDS[:COUNT], SIDS[COUNT:]
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def served(
    database: ServiceDatabase, twilio: TwilioSimulator, **changed: Any
) -> AsyncIterator[ProvisionSteps]:
    """Run a service that gives no call up while a test waits."""
    settings = telephony_settings(
        database, twilio, twilio_timeout_seconds=60.0, stop_grace_seconds=0.1, **changed
    )
    async with running(await build(settings)) as channel:
        yield ProvisionSteps(channel, twilio)


async def register_all(steps: ProvisionSteps) -> None:
    """Have some that are active, and are to be suspended, and some for which it is reversed."""
    for account_sid in TO_SUSPEND:
        await steps.register(account_sid)
        steps.twilio.receive_call(account_sid, "+15550001111", "+15550002222")
    for account_sid in TO_ACTIVATE:
        steps.twilio.set_status(account_sid, AccountStatus.SUSPENDED)
        await steps.register(account_sid, OTHER)
    await steps.make_good()
    await steps.reach(ACTIVE, *TO_SUSPEND)


async def test_a_process_never_has_more_calls_under_way_than_the_setting_says_whoever_makes_them(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    async with served(database, twilio, twilio_concurrency=3, end_calls=True) as steps:
        await register_all(steps)
        await steps.make_good(NEW)
        twilio.set_load(Load(milliseconds=30, at_once_max=3, refuses_more=True))
        asked_before = len(twilio.requests)
        await steps.make_good(OTHER)
        await steps.report_wallet(frozen=True)
        making = [
            steps.telephony.ProvisionSubaccount(
                wish(organization_id=NEW, reference_id=f"ref-{number}")
            )
            for number in range(COUNT)
        ]
        made = [answer.subaccount.account_sid for answer in await asyncio.gather(*making)]
        await steps.reach(ACTIVE, *TO_ACTIVATE, *made)
        await steps.reach(SUSPENDED, *TO_SUSPEND)
        for account_sid in TO_SUSPEND:
            await eventually(
                lambda sid=account_sid: steps.get(sid),  # type: ignore[misc]
                lambda seen: seen.aftermath.ended_call_count == 1,
                PATIENCE_SECONDS,
            )
    answered = [each.http_status for each in twilio.requests[asked_before:]]
    assert HTTPStatus.TOO_MANY_REQUESTS not in answered


async def test_accounts_that_are_being_made_keep_no_suspension_waiting(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """Twilio answers nobody who makes one, for longer than this test waits."""
    async with served(database, twilio, twilio_concurrency=2) as steps:
        await steps.let_send(ONE, TWO)
        twilio.fail(Hang(), operation=LIST)
        asked = len(twilio.requests)
        making = [
            asyncio.ensure_future(steps.ask(reference_id=f"ref-{number}")) for number in range(3)
        ]
        await twilio.wait_for_requests(asked + 1)
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED, ONE, TWO)
        assert steps.count_asked(LIST) == 1
        for each in making:
            each.cancel()


async def test_an_account_is_made_in_the_midst_of_many_that_are_looked_at(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    async with served(database, twilio, twilio_concurrency=2) as steps:
        await steps.make_good()
        twilio.set_load(Load(milliseconds=50))
        for account_sid in SIDS:
            await steps.register(account_sid)
        await steps.made()
        assert len({each.sid for each in twilio.requests}) < len(SIDS)


async def count_asked(steps: ProvisionSteps, operation: str) -> int:
    return steps.count_asked(operation)


async def test_what_follows_suspensions_has_no_more_than_half_of_the_slots(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """Of five slots one is for suspensions; Twilio answers nobody who ends a call."""
    async with served(database, twilio, twilio_concurrency=5, end_calls=True) as steps:
        await register_all(steps)
        twilio.fail(Hang(), operation="update_call")
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED, *TO_SUSPEND)
        await eventually(lambda: count_asked(steps, "update_call"), lambda count: count == 2)
        await steps.make_good(OTHER)
        await steps.reach(ACTIVE, *TO_ACTIVATE)
        assert steps.count_asked("update_call") == 2


async def test_looks_and_what_follows_suspensions_share_the_one_slot_that_suspensions_leave(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """Both are always due."""
    always = {"twilio_sweep_seconds": 0.01, "twilio_recheck_seconds": 0.01}
    async with served(database, twilio, twilio_concurrency=2, end_calls=True, **always) as steps:
        await steps.make_good()
        await steps.report_wallet(frozen=True)
        twilio.set_load(Load(milliseconds=20))
        for account_sid in TO_SUSPEND:
            await steps.register(account_sid)
        for operation in ("list_call", "fetch_account", "list_call", "fetch_account"):
            so_far = steps.count_asked(operation)
            await eventually(
                lambda asked=operation: count_asked(steps, asked),  # type: ignore[misc]
                lambda count, before=so_far: count >= before + 10,  # type: ignore[misc]
                PATIENCE_SECONDS / 4,
            )


async def test_suspensions_have_only_the_slots_that_are_free(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """Two of three are taken, and Twilio answers nobody."""
    async with served(database, twilio, twilio_concurrency=3) as steps:
        await steps.let_send(ONE, TWO)
        looked = steps.count_asked("fetch_account")
        twilio.fail(Hang())
        for account_sid in TO_ACTIVATE:
            await steps.register(account_sid, OTHER)
        await eventually(
            lambda: count_asked(steps, "fetch_account"), lambda count: count == looked + 2
        )
        await steps.report_wallet(frozen=True)
        for account_sid in (ONE, TWO):
            await eventually(
                lambda sid=account_sid: steps.get(sid),  # type: ignore[misc]
                lambda seen: seen.attempt_count == 1,
            )
        await eventually(lambda: count_asked(steps, "update_account"), bool)
        assert steps.count_asked("update_account") == 1
