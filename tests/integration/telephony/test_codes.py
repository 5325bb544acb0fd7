"""Each way in which a suspension can fail, with Twilio's own library, and what is done about it."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from dev.simulators.faults import Fault, Hang, LostAnswer, Refusal, TooManyRequests, Unavailable
from dev.simulators.twilio import TwilioSimulator
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import Subaccount
from tests.integration.telephony.conftest import Parts, telephony_settings
from tests.integration.telephony.levels import make_good, wallet_level
from tests.integration.telephony.steps import ONE
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION

# The first retry comes at least half of it later, at most all of it.
SOON = (timedelta(seconds=0.25), timedelta(seconds=1))
LATER = (timedelta(seconds=5), timedelta(seconds=11))
SELDOM = (timedelta(seconds=50), timedelta(seconds=101))

OPEN_OUTCOMES: list[Fault] = [
    Hang(),
    LostAnswer(),
    Unavailable(503),
    Refusal("20500", 500),
]
REFUSALS = [
    ("10001", 403, LATER),
    ("20003", 401, LATER),
    ("20005", 403, LATER),
    ("20008", 403, SELDOM),
    ("20404", 404, SELDOM),
    ("21472", 400, LATER),
    ("21475", 400, SELDOM),
    ("21476", 400, LATER),
    ("21477", 400, SELDOM),
    ("21478", 400, SELDOM),
    ("21479", 400, SELDOM),
    ("21480", 400, LATER),
    ("99999", 400, LATER),
]


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings with pauses that can be told apart."""
    return telephony_settings(
        database,
        twilio,
        twilio_back_off_max_seconds=30.0,
        twilio_refused_back_off_max_seconds=100.0,
    )


async def suspend_in_vain(parts: Parts, twilio: TwilioSimulator, fault: Fault) -> Subaccount:
    """Bring an active subaccount to where it must be suspended, and fail to."""
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    await parts.reconcile()
    await parts.organizations.observe_wallet(ORGANIZATION, wallet_level(revision=2, frozen=True))
    twilio.fail(fault, ONE, times=1)
    await parts.reconcile()
    return (await parts.subaccounts.get(ONE)).subaccount


def pause(subaccount: Subaccount) -> timedelta:
    assert subaccount.failing_time is not None
    assert subaccount.next_attempt_time is not None
    return subaccount.next_attempt_time - subaccount.failing_time


@pytest.mark.parametrize("fault", OPEN_OUTCOMES, ids=repr)
async def test_where_the_outcome_is_open_it_is_tried_again_soon(
    parts: Parts, twilio: TwilioSimulator, fault: Fault
) -> None:
    failed = await suspend_in_vain(parts, twilio, fault)
    assert SOON[0] <= pause(failed) <= SOON[1]
    assert failed.observed == "UNKNOWN"
    assert failed.recheck_time is not None


async def test_a_busy_twilio_did_nothing_and_is_asked_again_soon(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    failed = await suspend_in_vain(parts, twilio, TooManyRequests())
    assert SOON[0] <= pause(failed) <= SOON[1]
    assert (failed.observed, failed.recheck_time) == ("ACTIVE", None)
    assert "429" in failed.last_error


@pytest.mark.parametrize(("code", "status", "pauses"), REFUSALS)
async def test_a_refusal_is_told_and_tried_again_as_its_code_says(
    parts: Parts,
    twilio: TwilioSimulator,
    code: str,
    status: int,
    pauses: tuple[timedelta, timedelta],
) -> None:
    failed = await suspend_in_vain(parts, twilio, Refusal(code, status))
    assert f"Twilio refused with code {code}" in failed.last_error
    assert pauses[0] <= pause(failed) <= pauses[1]
    # It was looked at after the refusal, unless a look would tell nothing but that the parent is.
    looked = ["GET"] if code != "21476" else []
    assert [request.method for request in twilio.requests][1:] == ["POST", *looked]
    assert failed.observed == "ACTIVE"


@pytest.mark.parametrize(
    ("fault", "level"),
    [
        (Refusal("20003", 401), "error"),
        (Refusal("20404", 404), "error"),
        (Refusal("21476", 400), "error"),
        (TooManyRequests(), "warning"),
        (Unavailable(503), "warning"),
    ],
    ids=repr,
)
async def test_what_people_must_see_to_is_logged_as_an_error_and_what_passes_is_not(
    parts: Parts, twilio: TwilioSimulator, fault: Fault, level: str
) -> None:
    with capture_logs() as lines:
        await suspend_in_vain(parts, twilio, fault)
    failed = [line for line in lines if line["event"] == "twilio_call_failed"]
    assert [line["log_level"] for line in failed] == [level]
