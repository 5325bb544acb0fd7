"""Each of the alerts' conditions is found by its rule, and by no other; all well, by none."""

from typing import Any

import pytest

from services.operator_console.domain.findings import Rule, Silence, Unanswered, conclude
from services.operator_console.domain.system import RULES
from services.operator_console.domain.system.case import SystemCase
from services.operator_console.domain.twilio import CODES
from tests.support.console_cases import ChangeOverview, ago, request_of, system_case
from tests.support.monitoring import read_alerts
from tollgate.billing_gateway.v1 import overview_pb2 as gateway_pb2
from tollgate.billing_gateway.v1 import provider_pb2, webhook_event_pb2
from tollgate.campaign.v1 import campaign_pb2
from tollgate.campaign.v1 import overview_pb2 as campaign_overview_pb2
from tollgate.operations.v1 import operations_pb2
from tollgate.operator_console.v1 import diagnosis_pb2
from tollgate.telephony.v1 import overview_pb2 as telephony_pb2
from tollgate.telephony.v1 import twilio_health_pb2
from tollgate.wallet.v1 import overview_pb2 as wallet_overview_pb2
from tollgate.wallet.v1 import wallet_pb2

CRITICAL = diagnosis_pb2.SEVERITY_CRITICAL
WARNING = diagnosis_pb2.SEVERITY_WARNING


def change_to(service: str, **fields: Any) -> ChangeOverview:
    """Set fields of what one service tells."""

    def change(overview: Any) -> None:
        told = getattr(overview, service)
        told.MergeFrom(type(told)(**fields))

    return change


def frozen(reason: wallet_pb2.FreezeReason.ValueType, **age: float) -> ChangeOverview:
    count = wallet_overview_pb2.FreezeCount(
        reason=reason, count=2, oldest_time=ago(**age), oldest_organization_id="org-1"
    )
    return change_to("wallet", freezes=[count])


def debits(**counts: int) -> ChangeOverview:
    return change_to("wallet", recent_debits=wallet_overview_pb2.RecentDebits(**counts))


def checked(**fields: Any) -> ChangeOverview:
    return change_to("wallet", ledger_check=wallet_overview_pb2.LedgerCheck(**fields))


def standing(name: str, **age: float) -> ChangeOverview:
    count = telephony_pb2.StandingCount(
        count=3, oldest_time=ago(**age), oldest_organization_id="org-1"
    )
    return change_to("telephony", **{name: count})


def events(state: webhook_event_pb2.WebhookEventState.ValueType, **age: float) -> ChangeOverview:
    count = gateway_pb2.EventCount(state=state, count=4, oldest_receive_time=ago(**age))
    return provider(events=[count])


def provider(**fields: Any) -> ChangeOverview:
    told = gateway_pb2.ProviderOverview(provider=provider_pb2.PROVIDER_PAYPAL, **fields)
    return change_to("billing_gateway", providers=[told])


def backlog(**age: float) -> ChangeOverview:
    told = operations_pb2.AnnouncementBacklog(
        level="wallet", observer="campaign", pending_count=1, oldest_time=ago(**age)
    )
    return change_to("wallet", announcements=[told])


def long_transaction(service: str) -> ChangeOverview:
    told = operations_pb2.LongTransaction(process_id=7, start_time=ago(minutes=1), waiting_count=1)
    return change_to(service, long_transactions=[told])


def paused(over_30_days_count: int) -> ChangeOverview:
    told = campaign_overview_pb2.PauseCount(
        pause_reason=campaign_pb2.PAUSE_REASON_WALLET_FROZEN,
        count=9,
        oldest_time=ago(days=31),
        over_30_days_count=over_30_days_count,
    )
    return change_to("campaign", pauses=[told])


INTEGRITY = wallet_pb2.FREEZE_REASON_INTEGRITY
OPERATOR = wallet_pb2.FREEZE_REASON_OPERATOR
RECEIVED = webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED
PARKED = webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED
DEAD = webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD

# The code, how much it matters, what makes it so, and what is just not enough for it.
AMISS: list[tuple[str, int, ChangeOverview, ChangeOverview]] = [
    *(
        ("LONG_TRANSACTION", CRITICAL, long_transaction(service), lambda _: None)
        for service in ("wallet", "campaign", "telephony", "billing_gateway")
    ),
    ("LEDGER_INTEGRITY", CRITICAL, frozen(INTEGRITY, hours=1), frozen(OPERATOR, hours=1)),
    (
        "LEDGER_CHECK_DOUBTS_KEYS",
        CRITICAL,
        checked(doubts_its_keys=True),
        checked(doubts_its_keys=False),
    ),
    (
        "LEDGER_CHECK_NOT_RUNNING",
        WARNING,
        lambda overview: overview.wallet.ledger_check.last_round_time.CopyFrom(ago(minutes=16)),
        lambda overview: overview.wallet.ledger_check.last_round_time.CopyFrom(ago(minutes=14)),
    ),
    (
        "LEDGER_WALK_OVERDUE",
        WARNING,
        checked(last_walk_time=ago(days=8)),
        checked(last_walk_time=ago(days=6)),
    ),
    (
        "DEBITS_REFUSED",
        WARNING,
        debits(attempt_count=1000, insufficient_funds_count=51),
        debits(attempt_count=1000, insufficient_funds_count=50),
    ),
    (
        "DEBITS_REFUSED",
        WARNING,
        debits(attempt_count=100, insufficient_funds_count=100),
        debits(attempt_count=99, insufficient_funds_count=99),
    ),
    ("LOCK_TIMEOUTS", WARNING, debits(database_unavailable_count=1), debits(attempt_count=1)),
    ("WALLET_FROZEN_LONG", WARNING, frozen(OPERATOR, days=8), frozen(OPERATOR, days=6)),
    (
        "EMERGENCY_STOP",
        CRITICAL,
        change_to("campaign", emergency_stop=campaign_pb2.EmergencyStop(active=True)),
        change_to("campaign", emergency_stop=campaign_pb2.EmergencyStop(actor="ann")),
    ),
    ("CAMPAIGN_PAUSED_LONG", WARNING, paused(1), paused(0)),
    (
        "TWILIO_PARENT_SUSPENDED",
        CRITICAL,
        change_to(
            "telephony",
            twilio=twilio_health_pb2.TwilioHealth(
                state=twilio_health_pb2.TWILIO_STATE_PARENT_SUSPENDED
            ),
        ),
        lambda _: None,
    ),
    (
        "SUBACCOUNT_UNSUSPENDED",
        CRITICAL,
        standing("unsuspended", minutes=2),
        standing("unsuspended", seconds=50),
    ),
    ("SUBACCOUNT_DRIFTED", WARNING, standing("drifted", hours=1), standing("drifted", minutes=14)),
    ("SUBACCOUNT_FAILING", WARNING, standing("failing", hours=1), standing("failing", minutes=14)),
    (
        "AFTERMATH_FAILING",
        WARNING,
        standing("aftermath_failing", hours=1),
        standing("aftermath_failing", minutes=14),
    ),
    (
        "PROVISION_FAILING",
        WARNING,
        standing("failing_provisions", hours=1),
        standing("open_provisions", hours=1),
    ),
    ("INBOX_LAG", CRITICAL, events(RECEIVED, minutes=3), events(RECEIVED, minutes=1)),
    ("EVENTS_DEAD", WARNING, events(DEAD, seconds=1), lambda _: None),
    ("EVENTS_PARKED", WARNING, events(PARKED, hours=2), events(PARKED, minutes=50)),
    (
        "SIGNATURE_FAILURES",
        WARNING,
        provider(recent_bad_signature_count=6),
        provider(recent_bad_signature_count=5),
    ),
    (
        "WEBHOOKS_MISSING",
        WARNING,
        provider(last_receive_time=ago(hours=25)),
        provider(last_receive_time=ago(hours=23)),
    ),
    ("ANNOUNCEMENTS_STUCK", CRITICAL, backlog(minutes=2), backlog(seconds=50)),
]
EACH = pytest.mark.parametrize(
    ("code", "severity", "enough", "too_little"), AMISS, ids=[each[0] for each in AMISS]
)


def test_all_is_well() -> None:
    assert conclude(RULES, system_case()) == []


@EACH
def test_a_condition_is_found_once_it_holds(
    code: str, severity: int, enough: ChangeOverview, too_little: ChangeOverview
) -> None:
    [finding] = conclude(RULES, system_case(enough))
    assert (finding.code, finding.severity) == (code, severity)
    assert request_of(finding) is not None
    assert code not in {each.code for each in conclude(RULES, system_case(too_little))}


def test_every_rule_has_something_to_find() -> None:
    cases = [system_case(enough) for _, _, enough, _ in AMISS]
    cases += [system_case(unanswered={"wallet": Unanswered(each, "no")}) for each in Silence]
    assert not [rule for rule in RULES if not any(finds(rule, case) for case in cases)]


def finds(rule: Rule[SystemCase], case: SystemCase) -> bool:
    return bool(list(rule(case)))


def test_an_alert_names_the_finding_that_the_console_tells_of_the_same() -> None:
    told_by_alerts = {alert.labels.get("finding") for alert in read_alerts().values()} - {None}
    of_services = {Silence.SERVICE_DOWN, Silence.DATABASE_DOWN}
    assert told_by_alerts == {code for code, _, _, _ in AMISS} | of_services | set(CODES.values())


def test_the_worst_comes_first() -> None:
    case = system_case(
        paused(1),
        events(PARKED, hours=2),
        frozen(INTEGRITY, hours=1),
        unanswered={"telephony": Unanswered(Silence.DATABASE_DOWN, "away")},
    )
    codes = [finding.code for finding in conclude(RULES, case)]
    assert codes == ["DATABASE_DOWN", "LEDGER_INTEGRITY", "EVENTS_PARKED", "CAMPAIGN_PAUSED_LONG"]


def test_what_wakes_somebody_comes_before_what_waits_for_the_day() -> None:
    """An emergency stop is told of late, so as not to be forgotten; here it explains the rest."""
    wakes = {
        alert.labels["finding"]: alert.labels["severity"] == "page"
        for alert in read_alerts().values()
        if "finding" in alert.labels
    }
    found = conclude(RULES, system_case(*(enough for _, _, enough, _ in AMISS)))
    codes = [each.code for each in found if each.code != "EMERGENCY_STOP"]
    first_ticket = next(index for index, code in enumerate(codes) if not wakes[code])
    assert first_ticket
    assert not [code for code in codes[first_ticket:] if wakes[code]]
