"""Killed at any step of driving a subaccount, a service that starts again brings it where it must.

A step is one write to the database or to Twilio. SEARCH_TIMES=20 tries every step, each both before
it is taken and before its answer arrives.
"""

from dataclasses import dataclass
from itertools import groupby, pairwise

import pytest

from dev.simulators.faults import Latency
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from tests.integration.telephony.crashing.trial import Story, Subject, Told, try_story
from tests.integration.telephony.steps import ACTIVE, SUSPENDED, Change
from tests.support.crashing.telephony import READY_SECONDS, TelephonyProcess
from tests.support.searching import SEARCH_TIMES
from tests.support.waiting import eventually

BEFORE, FIRST, SECOND = 2, 10, 11
IS_OVER = """
SELECT FROM subaccounts
WHERE account_sid = $1 AND lease_end_time IS NULL
  AND next_attempt_time > now() + interval '10 min'
"""
LOOK_NOW = "UPDATE subaccounts SET next_attempt_time = now() WHERE account_sid = $1"
READ = "SELECT wanted, observed, told, lease_end_time FROM subaccounts WHERE account_sid = $1"


async def stand(it: Subject, *, frozen: bool) -> None:
    """Bring the subaccount to where nothing is left to do."""
    await it.steps.report_subscription(good=True, organization_id=it.organization_id)
    await it.report(BEFORE, frozen=frozen)
    await it.steps.register(it.account_sid, it.organization_id)
    await it.steps.reach(SUSPENDED if frozen else ACTIVE, it.account_sid)


async def stand_active(it: Subject) -> None:
    await stand(it, frozen=False)


async def stand_suspended(it: Subject) -> None:
    await stand(it, frozen=True)


async def freeze(it: Subject) -> None:
    await it.report(FIRST, frozen=True)


async def unfreeze(it: Subject) -> None:
    await it.report(FIRST, frozen=False)


async def unfreeze_and_freeze(it: Subject) -> None:
    await it.report(FIRST, frozen=False)
    await it.report(SECOND, frozen=True)


@dataclass(frozen=True)
class OvertakenAt:
    """Good news, and bad news while Twilio is asked this."""

    asked: str

    async def __call__(self, it: Subject) -> None:
        operation, _, _ = self.asked.partition(" ")
        asked_before = len(it.asked)
        it.twilio.fail(Latency(150), it.account_sid, times=1, operation=operation)
        await it.report(FIRST, frozen=False)

        async def is_asked_or_dead() -> bool:
            return self.asked in it.asked[asked_before:] or it.service.wires.is_cut

        await eventually(is_asked_or_dead, lambda asked: asked, READY_SECONDS)
        await it.report(SECOND, frozen=True)


@dataclass(frozen=True)
class Drifting:
    """Somebody changes the subaccount in Twilio's console, and the time of its sweep comes."""

    status: AccountStatus

    async def __call__(self, it: Subject) -> None:
        it.twilio.set_status(it.account_sid, self.status)
        await it.service.connection.execute(LOOK_NOW, it.account_sid)
        await look(it)


async def look(it: Subject) -> None:
    """Register once more, which wakes the service and changes nothing."""
    await it.steps.register(it.account_sid, it.organization_id)


@dataclass(frozen=True)
class Check:
    """How it ends, and what its history tells; of what it knew of Twilio, one of several."""

    ends: str
    wanted: tuple[str, ...]
    observed: tuple[tuple[str, ...], ...]
    drifts: tuple[str, ...] = ()
    # Bad news came last.
    is_blocked: bool = False

    async def __call__(self, it: Subject, told: Told) -> None:
        await it.steps.reach(SUSPENDED if self.ends == "SUSPENDED" else ACTIVE, it.account_sid)
        [row] = await it.service.connection.fetch(READ, it.account_sid)
        assert tuple(row) == (self.ends, self.ends, self.ends, None)
        history = [*reversed(await it.steps.list_changes(account_sid=it.account_sid))]
        self.check_history(history)
        if told.is_whole and self.is_blocked:
            assert "update_account active" not in it.asked[told.asked_before :]

    def check_history(self, history: list[Change]) -> None:
        for before, after in pairwise(history):
            assert before.ended == after.began
        assert history[-1].ended == (self.ends, self.ends)
        lines = [each.line for each in history]
        wanted = [line for line in lines if not line.startswith(("TWILIO", "DRIFT"))]
        assert tuple(line.rpartition(" ")[0] for line in wanted) == self.wanted
        known = [state for _, state in (each.ended for each in history) if state != "UNKNOWN"]
        assert tuple(state for state, _ in groupby(known)) in self.observed
        assert tuple(line for line in lines if line.startswith("DRIFT")) == self.drifts


BORN_ACTIVE, BORN_SUSPENDED = "REGISTERED UNSPECIFIED>ACTIVE", "REGISTERED UNSPECIFIED>SUSPENDED"
GOOD, BAD = "WALLET SUSPENDED>ACTIVE", "WALLET ACTIVE>SUSPENDED"
OVERTAKEN = Check(
    "SUSPENDED",
    (BORN_SUSPENDED, GOOD, BAD),
    (("SUSPENDED",), ("SUSPENDED", "ACTIVE", "SUSPENDED")),
    is_blocked=True,
)
STORIES = {
    "suspended": Story(
        stand_active,
        freeze,
        freeze,
        IS_OVER,
        Check("SUSPENDED", (BORN_ACTIVE, BAD), (("ACTIVE", "SUSPENDED"),), is_blocked=True),
    ),
    "activated": Story(
        stand_suspended,
        unfreeze,
        unfreeze,
        IS_OVER,
        Check("ACTIVE", (BORN_SUSPENDED, GOOD), (("SUSPENDED", "ACTIVE"),)),
    ),
    "overtaken_at_the_look": Story(
        stand_suspended, OvertakenAt("fetch_account"), unfreeze_and_freeze, IS_OVER, OVERTAKEN
    ),
    "overtaken_at_the_change": Story(
        stand_suspended,
        OvertakenAt("update_account active"),
        unfreeze_and_freeze,
        IS_OVER,
        OVERTAKEN,
    ),
    "suspended_by_somebody": Story(
        stand_active,
        Drifting(AccountStatus.SUSPENDED),
        look,
        IS_OVER,
        Check(
            "ACTIVE",
            (BORN_ACTIVE,),
            (("ACTIVE", "SUSPENDED", "ACTIVE"),),
            drifts=("DRIFT ACTIVE>ACTIVE ACTIVE>SUSPENDED",),
        ),
    ),
    "activated_by_somebody": Story(
        stand_suspended,
        Drifting(AccountStatus.ACTIVE),
        look,
        IS_OVER,
        Check(
            "SUSPENDED",
            (BORN_SUSPENDED,),
            (("SUSPENDED", "ACTIVE", "SUSPENDED"),),
            drifts=("DRIFT SUSPENDED>SUSPENDED SUSPENDED>ACTIVE",),
            is_blocked=True,
        ),
    ),
}


@pytest.mark.timeout(300 * max(1, SEARCH_TIMES))
@pytest.mark.parametrize("name", STORIES)
async def test_a_subaccount_ends_as_wanted_whenever_the_service_is_killed(
    service: TelephonyProcess, twilio: TwilioSimulator, name: str
) -> None:
    await try_story(service, twilio, STORIES[name])
