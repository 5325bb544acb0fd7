"""Somebody changes a subaccount in Twilio's console: found, told and corrected."""

import pytest

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import Parts, telephony_settings
from tests.integration.telephony.steps import ONE, TelephonySteps
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of a service that looks all the time."""
    return telephony_settings(database, twilio, twilio_sweep_seconds=0.1)


async def stand(steps: TelephonySteps, wanted: str, observed: str) -> None:
    """Wait until a subaccount stands so for Tollgate and for Twilio."""

    async def look() -> tuple[str, str, str]:
        sight = await steps.look()
        return sight.wanted, sight.observed, sight.at_twilio

    await eventually(look, lambda seen: seen == (wanted, observed, observed.lower()))


@pytest.mark.parametrize("frozen", [True, False])
async def test_what_was_changed_in_the_console_is_changed_back_and_told(
    steps: TelephonySteps, twilio: TwilioSimulator, *, frozen: bool
) -> None:
    was, other = ("SUSPENDED", "ACTIVE") if frozen else ("ACTIVE", "SUSPENDED")
    await steps.make_good()
    await steps.report_wallet(frozen=frozen)
    await steps.register(ONE)
    await stand(steps, was, was)
    twilio.set_status(ONE, AccountStatus(other.lower()))

    await eventually(steps.list_changes, lambda seen: seen[0].line.endswith(f"{other}>{was}"))

    await stand(steps, was, was)
    lines = [change.line for change in await steps.list_changes()]
    assert lines[:2] == [f"TWILIO {was}>{was} {other}>{was}", f"DRIFT {was}>{was} {was}>{other}"]


async def test_what_was_closed_in_the_console_is_told(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    await steps.register(ONE)
    await stand(steps, "ACTIVE", "ACTIVE")
    twilio.set_status(ONE, AccountStatus.CLOSED)
    await stand(steps, "ACTIVE", "CLOSED")
    assert (await steps.list_changes())[0].line == "DRIFT ACTIVE>ACTIVE ACTIVE>CLOSED"


async def test_a_look_that_finds_all_well_only_looks(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    await steps.report_wallet(frozen=True)
    await steps.register(ONE)
    await stand(steps, "SUSPENDED", "SUSPENDED")
    lines, asked = await steps.list_changes(), len(twilio.requests)
    await twilio.wait_for_requests(asked + 3)
    assert await steps.list_changes() == lines
    assert {request.status_asked for request in twilio.requests[asked:]} == {None}


async def test_the_metrics_count_what_others_changed(parts: Parts, twilio: TwilioSimulator) -> None:
    async def reconcile() -> float | None:
        await parts.reconcile()
        labels = {"observed": "SUSPENDED"}
        return parts.registry.get_sample_value("tollgate_subaccount_drifts_total", labels)

    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    assert await reconcile() == 0
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    await eventually(reconcile, lambda seen: seen == 1)
    assert await reconcile() == 1
