"""Many subaccounts in one transaction: none waits for another's organization, or for its defect."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from dev.simulators.faults import Latency
from dev.simulators.twilio import TwilioSimulator
from libs.database import Database
from services.telephony.app import build, connect_twilio
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import DueSearch, Subaccount, Work
from services.telephony.operations.claiming import Claiming, Claims
from services.telephony.operations.recording import Outcome
from services.telephony.workers import Reconciler
from tests.integration.telephony.conftest import (
    Parts,
    holding,
    make_trouble,
    telephony_settings,
)
from tests.integration.telephony.steps import ONE, THREE, TWO, TelephonySteps, many_sids
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually

# In this order, and due before all that was never tried.
TRIED_LONG_AGO = """
UPDATE subaccounts
SET attempt_count = 5, next_attempt_time = '2026-01-01Z'::timestamptz + place * interval '1 second'
FROM unnest($1::text[]) WITH ORDINALITY AS tried (account_sid, place)
WHERE subaccounts.account_sid = tried.account_sid
"""
ORGANIZATION_OF = {ONE: "org-1", TWO: "org-2", THREE: "org-3"}


@pytest.fixture
async def due_parts(parts: Parts) -> Parts:
    """Three organizations, each with a subaccount to suspend."""
    for account_sid, organization_id in ORGANIZATION_OF.items():
        await parts.subaccounts.register(organization_id, "", account_sid)
        await parts.organizations.block(organization_id, "", "")
    return parts


async def find(parts: Parts, account_sid: str) -> Subaccount:
    return (await parts.subaccounts.get(account_sid)).subaccount


async def test_one_that_is_held_up_keeps_no_other_from_being_claimed(
    due_parts: Parts, database: ServiceDatabase
) -> None:
    search = DueSearch(work=Work.SUSPENSION, held_up_organization_ids=[], limit=3)
    async with holding(database, "org-2"):
        claims = await due_parts.claiming.claim_due(search)
    assert {claim.subaccount.account_sid for claim in claims.claims} == {ONE, THREE}
    assert set(claims.left_aside_seconds) == {"org-2"}
    assert claims.may_be_more
    later = await due_parts.claiming.claim_due(search)
    assert [claim.subaccount.account_sid for claim in later.claims] == [TWO]
    assert not later.may_be_more


async def test_what_was_never_tried_comes_before_what_was_tried_in_vain(
    due_parts: Parts, database: ServiceDatabase
) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(TRIED_LONG_AGO, [ONE, TWO])
    await connection.close()
    found: list[str] = []
    for _ in ORGANIZATION_OF:
        claims = await due_parts.claiming.claim_due(DueSearch(Work.SUSPENSION, [], limit=1))
        found.extend(claim.subaccount.account_sid for claim in claims.claims)
    assert found == [THREE, ONE, TWO]


async def test_one_that_is_held_up_keeps_no_other_from_being_recorded(
    due_parts: Parts, database: ServiceDatabase
) -> None:
    claims = {claim.subaccount.account_sid: claim for claim in await due_parts.claim(urgent=True)}
    async with holding(database, "org-2"):
        held_up = asyncio.create_task(due_parts.reconcile_claimed(claims[TWO]))
        await asyncio.gather(
            *(due_parts.reconcile_claimed(claims[account_sid]) for account_sid in (ONE, THREE))
        )
        assert not held_up.done()
    await held_up
    for account_sid in ORGANIZATION_OF:
        assert (await find(due_parts, account_sid)).observed == "SUSPENDED"


async def test_a_defect_with_one_keeps_no_other_from_being_claimed(
    due_parts: Parts, database: ServiceDatabase
) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(
        "UPDATE subaccounts SET claim_number = $2 WHERE account_sid = $1", TWO, 2**63 - 1
    )
    await connection.close()
    search = DueSearch(work=Work.SUSPENSION, held_up_organization_ids=[], limit=3)
    with capture_logs():  # since tracebacks take seconds to print
        claims = await due_parts.claiming.claim_due(search)
    assert {claim.subaccount.account_sid for claim in claims.claims} == {ONE, THREE}
    assert set(claims.left_aside_seconds) == {"org-2"}


async def test_a_defect_with_one_keeps_no_other_from_being_recorded(
    due_parts: Parts, database: ServiceDatabase
) -> None:
    claims = await due_parts.claim(urgent=True)
    unheard_of = replace(claims[0].subaccount, account_sid=f"AC{'9' * 32}")
    outcomes = [
        Outcome(replace(claims[0], subaccount=unheard_of), None),
        *[Outcome(claim, await due_parts.driving.drive(claim)) for claim in claims],
    ]
    with capture_logs():
        await asyncio.gather(*(due_parts.recording.record(outcome) for outcome in outcomes))
    for account_sid in ORGANIZATION_OF:
        assert (await find(due_parts, account_sid)).observed == "SUSPENDED"


async def test_what_is_given_back_is_as_it_was(due_parts: Parts, twilio: TwilioSimulator) -> None:
    before = await find(due_parts, ONE)
    claims = await due_parts.claim(urgent=True)
    assert await due_parts.recording.record(Outcome(claims[0], None))
    after = await find(due_parts, ONE)
    assert after == replace(
        before,
        claim_number=1,
        driving_claim_number=1,
        next_attempt_time=after.next_attempt_time,
        observed=before.told,
    )
    assert twilio.requests == []


class SlowClaiming(Claiming):
    """Claims for which no slot was free for a part of their lease."""

    lease_left = 1.0

    async def claim_due(self, search: DueSearch) -> Claims:
        """Claim what is due now, as if that were a while ago."""
        found = await super().claim_due(search)
        now = asyncio.get_running_loop().time()
        late = [
            replace(claim, deadline=now + self.lease_left * (claim.deadline - now))
            for claim in found.claims
        ]
        return replace(found, claims=late)


async def test_what_has_waited_for_half_its_lease_is_given_back_and_not_called_for(
    due_parts: Parts, settings: TelephonySettings, twilio: TwilioSimulator
) -> None:
    database = await Database.connect(settings.database_url, 2, "telephony")
    claiming = SlowClaiming(database, settings.suspension_policy, settings.reconcile_timing)
    claiming.lease_left = 0.45
    accounts = connect_twilio(settings, CollectorRegistry())
    trouble = make_trouble(database, accounts, settings, CollectorRegistry())
    reconciler = Reconciler(
        claiming,
        due_parts.driving,
        None,
        recording=due_parts.recording,
        trouble=trouble,
        settings=settings,
    )

    async def all_found() -> list[Subaccount]:
        return [await find(due_parts, account_sid) for account_sid in ORGANIZATION_OF]

    stop = asyncio.Event()
    running_until_stopped = asyncio.create_task(reconciler.run(stop))
    await eventually(all_found, lambda found: all(each.claim_number > 1 for each in found))
    assert twilio.requests == []
    claiming.lease_left = 0.6
    await eventually(all_found, lambda found: all(each.told == "SUSPENDED" for each in found))
    stop.set()
    await running_until_stopped
    await accounts.close()
    await database.close()


async def test_a_service_that_stops_gives_back_what_it_has_not_begun(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """One suspension is under way, and others are claimed."""
    account_sids = many_sids(40)
    settings = telephony_settings(database, twilio, twilio_concurrency=6)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(*account_sids)
        twilio.fail(Latency(200))
        asked = len(twilio.requests)
        await steps.report_wallet(frozen=True)
        await twilio.wait_for_requests(asked + 1)
    assert len(twilio.requests) < asked + 12
    connection = await asyncpg.connect(database.superuser_url)
    held = await connection.fetchval("SELECT count(*) FROM subaccounts WHERE observed = 'UNKNOWN'")
    await connection.close()
    assert held == 0
