"""What an operator reads names the cause, and leads to where something can be done about it."""

from typing import Any

from services.operator_console.domain.findings import Finding, Silence, Unanswered, conclude
from services.operator_console.domain.organization import RULES
from services.operator_console.domain.timeline import Histories, to_timeline
from tests.support.console_cases import ChangeSeen, ago, organization_case
from tollgate.billing_gateway.v1 import payment_pb2
from tollgate.operator_console.v1 import diagnosis_pb2
from tollgate.telephony.v1 import subaccount_pb2

ACTIVE = subaccount_pb2.OBSERVED_STATE_ACTIVE
SUSPENDED = subaccount_pb2.OBSERVED_STATE_SUSPENDED
CLOSED = subaccount_pb2.OBSERVED_STATE_CLOSED


def findings(*changes: ChangeSeen) -> list[Finding]:
    return conclude(RULES, organization_case(*changes))


def subaccount(**fields: Any) -> ChangeSeen:
    return lambda seen: seen.subaccounts[0].MergeFrom(subaccount_pb2.Subaccount(**fields))


def held(at_risk_micros: int) -> ChangeSeen:
    def change(seen: diagnosis_pb2.Seen) -> None:
        seen.wallet.available_micros = 0
        seen.wallet.held_micros = seen.wallet.balance_micros
        seen.payments.append(payment_pb2.Payment(at_risk_micros=at_risk_micros))

    return change


def test_money_that_is_at_risk_leads_to_its_payments_and_not_to_holds() -> None:
    [disputed] = findings(held(5_000_000))
    assert disputed.what.endswith("5.00 USD, 5.00 USD of it for open disputes")
    assert disputed.next_step.endswith("/ListPayments")
    [in_part] = findings(held(1_000_000))
    assert in_part.next_step.endswith("/ListHolds")


def test_a_suspension_that_was_refused_is_told_at_once() -> None:
    drifted: dict[str, Any] = {
        "drifted": True,
        "wanted": subaccount_pb2.WANTED_STATE_SUSPENDED,
        "observed": ACTIVE,
        "drift_time": ago(seconds=1),
    }
    assert findings(subaccount(**drifted)) == []
    [finding] = findings(subaccount(**drifted, last_error="refused"))
    assert finding.code == "SUBACCOUNT_UNSUSPENDED"


def test_nobody_is_suspected_where_twilio_has_said_why() -> None:
    drifted: dict[str, Any] = {
        "drifted": True,
        "observed": SUSPENDED,
        "drift_time": ago(minutes=1),
    }
    [unexplained] = findings(subaccount(**drifted))
    assert "Somebody" in unexplained.why
    [explained] = findings(subaccount(**drifted, last_error="Twilio itself suspended it"))
    assert explained.why == "Last error: Twilio itself suspended it."


def test_the_one_subaccount_that_was_closed_comes_before_that_there_is_none() -> None:
    def missing(seen: diagnosis_pb2.Seen) -> None:
        seen.sending.blockers.append(subaccount_pb2.BLOCKER_SUBACCOUNT_MISSING)

    codes = [finding.code for finding in findings(subaccount(observed=CLOSED), missing)]
    assert codes == ["SUBACCOUNT_CLOSED", "SUBACCOUNT_MISSING"]


def test_a_silent_service_is_told_of_in_words() -> None:
    silent = {"wallet": Unanswered(Silence.SERVICE_DOWN, "UNAVAILABLE, refused")}
    [finding] = conclude(RULES, organization_case(unanswered=silent))
    assert finding.what == "wallet: does not answer: UNAVAILABLE, refused"


def test_twilios_answer_is_not_told_as_twilios_wish() -> None:
    told = to_timeline(
        Histories(
            subaccount_changes=[
                subaccount_pb2.SubaccountChange(
                    wanted_to=subaccount_pb2.WANTED_STATE_SUSPENDED,
                    observed_to=observed,
                    cause=cause,
                )
                for observed, cause in (
                    (SUSPENDED, subaccount_pb2.SUBACCOUNT_CHANGE_CAUSE_TWILIO),
                    (ACTIVE, subaccount_pb2.SUBACCOUNT_CHANGE_CAUSE_DRIFT),
                    (ACTIVE, subaccount_pb2.SUBACCOUNT_CHANGE_CAUSE_WALLET),
                )
            ]
        )
    )
    assert [each.what.partition("observed ")[2] for each in told] == [
        "SUSPENDED, as Twilio answered",
        "ACTIVE, found so at Twilio",
        "ACTIVE, by WALLET",
    ]
