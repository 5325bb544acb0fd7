"""Good news expires by the database's time, also for whoever asks before the worker has looked."""

from datetime import UTC, datetime, timedelta

import asyncpg
from structlog.testing import capture_logs

from dev.simulators.twilio import TwilioSimulator
from services.telephony.app import build
from services.telephony.operations.organizations import REEVALUATE_BATCH
from tests.integration.telephony.conftest import Parts, holding, telephony_settings
from tests.integration.telephony.levels import make_good
from tests.integration.telephony.steps import ACTIVE, ONE, TWO, TelephonySteps, wanted_name
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2
from tollgate.telephony.v1.telephony_service_pb2 import ListSubaccountsRequest

HOUR_SECONDS = 3600.0
# They lapsed before all others, and cannot be written.
MAKE_FAILING = """
ALTER TABLE organizations
    ADD CONSTRAINT fails
        CHECK (reevaluate_time IS NOT NULL OR organization_id NOT LIKE 'failing-%');
INSERT INTO organizations (
    organization_id, subscription_revision, subscription_state, subscription_good_standing,
    subscription_good_until, reevaluate_time
)
SELECT 'failing-' || number, 1, 'ACTIVE', true, '2026-01-01Z', '2026-01-01Z'
FROM generate_series(1, {count}) AS number
"""
LET_LAPSE = """
UPDATE organizations
SET subscription_good_until = '2026-01-02Z', reevaluate_time = '2026-01-02Z'
WHERE organization_id LIKE 'org-%'
"""
WANTED = "SELECT account_sid, wanted FROM subaccounts"


async def test_an_answer_never_shows_more_than_what_holds_now(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """The workers look once an hour, so as good as never."""
    settings = telephony_settings(database, twilio, poll_interval_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        soon = datetime.now(UTC) + timedelta(milliseconds=300)
        await steps.report_subscription(good=True, until=soon)

        await eventually(steps.sending_blockers, lambda found: found == ["SUBSCRIPTION_INACTIVE"])

        subaccount = await steps.get()
        assert wanted_name(subaccount.wanted) == "SUSPENDED"
        assert subaccount.drifted
        assert list(subaccount.blockers) == [subaccount_pb2.BLOCKER_SUBSCRIPTION_INACTIVE]
        wanted = subaccount_pb2.WANTED_STATE_SUSPENDED
        assert await steps.list_sids(ListSubaccountsRequest(wanted=wanted, drifted=True)) == [ONE]
        assert twilio.status(ONE) == "active"


async def test_news_that_was_over_when_it_came_activates_nothing(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    async with running(await build(telephony_settings(database, twilio))) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        assert await steps.look() == ACTIVE
        past = datetime.now(UTC) - timedelta(seconds=1)
        await steps.report_subscription(good=True, until=past)
        await eventually(steps.look, lambda seen: seen.at_twilio == "suspended")


async def lapse(parts: Parts, database: ServiceDatabase, *statements: str) -> None:
    """Have two organizations whose good news is over, and nobody has looked."""
    for organization_id, account_sid in (("org-1", ONE), ("org-2", TWO)):
        await make_good(parts.organizations, organization_id)
        await parts.subaccounts.register(organization_id, "", account_sid)
    await execute(database, LET_LAPSE, *statements)


async def execute(database: ServiceDatabase, *statements: str) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def wanted(database: ServiceDatabase) -> dict[str, str]:
    connection = await asyncpg.connect(database.url)
    rows = await connection.fetch(WANTED)
    await connection.close()
    return {row["account_sid"]: row["wanted"] for row in rows}


async def test_lapses_that_always_fail_keep_no_other_from_being_written(
    parts: Parts, database: ServiceDatabase
) -> None:
    await lapse(parts, database, MAKE_FAILING.format(count=REEVALUATE_BATCH))
    with capture_logs():  # since tracebacks take seconds to print
        assert not await parts.organizations.reevaluate_due()
    assert await wanted(database) == {ONE: "SUSPENDED", TWO: "SUSPENDED"}


async def test_lapses_beside_one_that_fails_are_written(
    parts: Parts, database: ServiceDatabase
) -> None:
    await lapse(parts, database, MAKE_FAILING.format(count=1))
    with capture_logs():
        assert not await parts.organizations.reevaluate_due()
    assert await wanted(database) == {ONE: "SUSPENDED", TWO: "SUSPENDED"}


async def test_a_lapse_that_is_held_up_is_left_to_the_next_walk(
    parts: Parts, database: ServiceDatabase
) -> None:
    await lapse(parts, database)
    async with holding(database, "org-1"):
        with capture_logs() as lines:
            assert not await parts.organizations.reevaluate_due()
        # Its lock was not waited for.
        assert {line["log_level"] for line in lines} == {"info"}
        assert await wanted(database) == {ONE: "ACTIVE", TWO: "SUSPENDED"}
    await parts.organizations.reevaluate_due()
    assert await wanted(database) == {ONE: "SUSPENDED", TWO: "SUSPENDED"}
