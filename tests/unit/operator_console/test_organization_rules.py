"""What is amiss with an organization is found by its rule, and by no other; all well, by none."""

from collections.abc import Callable
from typing import Any

import pytest

from services.operator_console.domain.findings import Rule, Silence, Unanswered, conclude
from services.operator_console.domain.organization import RULES
from services.operator_console.domain.organization.case import OrganizationCase
from services.operator_console.domain.organization.sending import can_send
from tests.support.console_cases import ChangeSeen, ago, organization_case, request_of
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    payment_pb2,
    provider_pb2,
    subscription_pb2,
    webhook_event_pb2,
)
from tollgate.campaign.v1 import campaign_pb2
from tollgate.operations.v1 import operations_pb2
from tollgate.operator_console.v1 import diagnosis_pb2
from tollgate.telephony.v1 import subaccount_pb2, twilio_health_pb2
from tollgate.wallet.v1 import wallet_pb2

BLOCKING = diagnosis_pb2.SEVERITY_BLOCKING
CRITICAL = diagnosis_pb2.SEVERITY_CRITICAL
WARNING = diagnosis_pb2.SEVERITY_WARNING
INFO = diagnosis_pb2.SEVERITY_INFO


def change_to(path: str, **fields: Any) -> ChangeSeen:
    """Set fields of one of the messages that are seen."""

    def change(seen: diagnosis_pb2.Seen) -> None:
        message = getattr(seen, path)
        message.MergeFrom(type(message)(**fields))

    return change


def add_to(path: str, message: Any) -> ChangeSeen:
    return lambda seen: getattr(seen, path).append(message)


def without(*paths: str) -> ChangeSeen:
    def change(seen: Any) -> None:
        for path in paths:
            seen.ClearField(path)

    return change


def frozen(reason: wallet_pb2.FreezeReason.ValueType, **age: float) -> ChangeSeen:
    freeze = wallet_pb2.Freeze(
        reason=reason, note="a note", actor="ann", create_time=ago(**(age or {"hours": 1}))
    )
    return change_to("wallet", frozen=True, freezes=[freeze])


def event(state: webhook_event_pb2.WebhookEventState.ValueType) -> ChangeSeen:
    return add_to(
        "events",
        webhook_event_pb2.WebhookEvent(
            provider=provider_pb2.PROVIDER_STRIPE,
            event_id="evt_1",
            event_type="charge.refunded",
            state=state,
            last_error="unknown plan",
            receive_time=ago(minutes=5),
        ),
    )


def subaccount(
    wanted: subaccount_pb2.WantedState.ValueType, observed: subaccount_pb2.ObservedState.ValueType
) -> ChangeSeen:
    return add_to(
        "subaccounts",
        subaccount_pb2.Subaccount(
            account_sid="AC2",
            wanted=wanted,
            observed=observed,
            drifted=True,
            drift_time=ago(minutes=1),
        ),
    )


def paused(reason: campaign_pb2.PauseReason.ValueType, **age: float) -> ChangeSeen:
    return add_to(
        "paused_campaigns",
        campaign_pb2.Campaign(campaign_id="c-1", pause_reason=reason, pause_time=ago(**age)),
    )


def not_in_good_standing(seen: diagnosis_pb2.Seen) -> None:
    seen.level.good_standing = False
    seen.level.state = subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE
    seen.subscriptions[0].state = subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE


def differing(seen: diagnosis_pb2.Seen) -> None:
    seen.comparisons.append(
        billing_gateway_service_pb2.SubscriptionComparison(
            subscription=seen.subscriptions[0],
            provider_state=subscription_pb2.SUBSCRIPTION_STATE_SUSPENDED,
            differs=True,
        )
    )


def unasked(seen: diagnosis_pb2.Seen) -> None:
    seen.comparisons.append(
        billing_gateway_service_pb2.SubscriptionComparison(
            subscription=seen.subscriptions[0], provider_error="no answer"
        )
    )


def period_over(seen: diagnosis_pb2.Seen) -> None:
    seen.subscriptions[0].current_period_end_time.CopyFrom(ago(hours=2))


def pending(seen: diagnosis_pb2.Seen) -> None:
    seen.announcements.append(
        operations_pb2.Announcement(
            level="wallet", observer="campaign", revision=3, pending_since_time=ago(minutes=2)
        )
    )


def long_transaction(waiting: int) -> ChangeSeen:
    return add_to(
        "long_transactions",
        diagnosis_pb2.ServiceTransaction(
            service="wallet",
            transaction=operations_pb2.LongTransaction(
                process_id=77, role="wallet_owner", start_time=ago(minutes=1), waiting_count=waiting
            ),
        ),
    )


# The code, how much it matters, the rpc of the next step, and what makes it so.
AMISS: dict[str, tuple[str, int, str, list[ChangeSeen]]] = {
    "lock": ("LONG_TRANSACTION", CRITICAL, "EndLongTransaction", [long_transaction(1)]),
    "idle lock": ("LONG_TRANSACTION", WARNING, "EndLongTransaction", [long_transaction(0)]),
    "integrity": (
        "LEDGER_INTEGRITY",
        CRITICAL,
        "VerifyLedger",
        [frozen(wallet_pb2.FREEZE_REASON_INTEGRITY)],
    ),
    "stop": (
        "EMERGENCY_STOP",
        CRITICAL,
        "ResumeAllCampaigns",
        [change_to("emergency_stop", active=True, actor="ann", create_time=ago(hours=1))],
    ),
    "twilio away": (
        "TWILIO_UNAVAILABLE",
        CRITICAL,
        "GetTwilioHealth",
        [change_to("twilio", state=twilio_health_pb2.TWILIO_STATE_UNAVAILABLE)],
    ),
    "parent": (
        "TWILIO_PARENT_SUSPENDED",
        CRITICAL,
        "GetTwilioHealth",
        [change_to("twilio", state=twilio_health_pb2.TWILIO_STATE_PARENT_SUSPENDED)],
    ),
    "credentials": (
        "TWILIO_CREDENTIALS_REFUSED",
        CRITICAL,
        "GetTwilioHealth",
        [change_to("twilio", state=twilio_health_pb2.TWILIO_STATE_CREDENTIALS_REFUSED)],
    ),
    "unsuspended": (
        "SUBACCOUNT_UNSUSPENDED",
        CRITICAL,
        "ReconcileSubaccounts",
        [subaccount(subaccount_pb2.WANTED_STATE_SUSPENDED, subaccount_pb2.OBSERVED_STATE_ACTIVE)],
    ),
    "drifted": (
        "SUBACCOUNT_DRIFTED",
        BLOCKING,
        "ReconcileSubaccounts",
        [subaccount(subaccount_pb2.WANTED_STATE_ACTIVE, subaccount_pb2.OBSERVED_STATE_SUSPENDED)],
    ),
    "organization paused": (
        "ORGANIZATION_PAUSED",
        BLOCKING,
        "ResumeCampaignsIfEligible",
        [change_to("eligibility", pause=campaign_pb2.OrganizationPause(create_time=ago(hours=1)))],
    ),
    "blocked": (
        "SUBACCOUNTS_BLOCKED",
        BLOCKING,
        "ReactivateSubaccounts",
        [change_to("sending", operator_block=subaccount_pb2.OperatorBlock(actor="ann"))],
    ),
    "operator freeze": (
        "WALLET_FROZEN_BY_OPERATOR",
        BLOCKING,
        "UnfreezeWallet",
        [frozen(wallet_pb2.FREEZE_REASON_OPERATOR)],
    ),
    "dispute": (
        "WALLET_DISPUTED",
        BLOCKING,
        "ListPayments",
        [frozen(wallet_pb2.FREEZE_REASON_DISPUTE)],
    ),
    "differs": ("SUBSCRIPTION_DIFFERS", WARNING, "SyncSubscription", [differing]),
    "unasked": ("PROVIDER_CALLS_FAILING", WARNING, "CompareSubscriptions", [unasked]),
    "renewal": ("WEBHOOK_MISSING", WARNING, "SyncSubscription", [period_over]),
    "past due": ("SUBSCRIPTION_INACTIVE", BLOCKING, "GetSubscription", [not_in_good_standing]),
    "no subscription": (
        "SUBSCRIPTION_MISSING",
        BLOCKING,
        "ListWebhookEvents",
        [without("subscriptions", "level")],
    ),
    "no wallet": ("WALLET_MISSING", BLOCKING, "ListPayments", [without("wallet")]),
    "debt": ("DEBT_OWED", BLOCKING, "ListEntries", [change_to("wallet", owed_micros=1)]),
    "depleted": (
        "WALLET_DEPLETED",
        BLOCKING,
        "ListPayments",
        [change_to("wallet", depleted=True)],
    ),
    "held": (
        "FUNDS_HELD",
        BLOCKING,
        "ListHolds",
        [
            change_to("wallet", held_micros=5_000_000),
            lambda seen: setattr(seen.wallet, "available_micros", 0),
        ],
    ),
    "parked payment": (
        "PAYMENT_PARKED",
        WARNING,
        "GetPayment",
        [
            add_to(
                "payments",
                payment_pb2.Payment(
                    provider=provider_pb2.PROVIDER_STRIPE,
                    payment_id="stripe:pi_1",
                    state=payment_pb2.PAYMENT_STATE_PARKED,
                ),
            )
        ],
    ),
    "dead": (
        "EVENT_DEAD",
        BLOCKING,
        "ReplayWebhookEvents",
        [event(webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD)],
    ),
    "parked": (
        "EVENT_PARKED",
        WARNING,
        "GetWebhookEvent",
        [event(webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED)],
    ),
    "waiting": (
        "EVENT_WAITING",
        BLOCKING,
        "ReplayWebhookEvents",
        [event(webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED)],
    ),
    "pending": ("ANNOUNCEMENT_PENDING", BLOCKING, "ListAnnouncements", [pending]),
    "closed": (
        "SUBACCOUNT_CLOSED",
        WARNING,
        "ReconcileSubaccounts",
        [
            add_to(
                "subaccounts",
                subaccount_pb2.Subaccount(observed=subaccount_pb2.OBSERVED_STATE_CLOSED),
            )
        ],
    ),
    "no subaccount": (
        "SUBACCOUNT_MISSING",
        BLOCKING,
        "ListProvisions",
        [change_to("sending", blockers=[subaccount_pb2.BLOCKER_SUBACCOUNT_MISSING])],
    ),
    "by hand": (
        "CAMPAIGN_PAUSED_BY_HAND",
        WARNING,
        "ResumeCampaign",
        [paused(campaign_pb2.PAUSE_REASON_MANUAL_PAUSE, hours=1)],
    ),
    "paused long": (
        "CAMPAIGN_PAUSED_LONG",
        WARNING,
        "ListCampaignChanges",
        [paused(campaign_pb2.PAUSE_REASON_WALLET_DEPLETED, days=31)],
    ),
    "aftermath": (
        "AFTERMATH_FAILING",
        WARNING,
        "GetSubaccount",
        [
            add_to(
                "subaccounts",
                subaccount_pb2.Subaccount(
                    aftermath=subaccount_pb2.Aftermath(failing_time=ago(hours=1))
                ),
            )
        ],
    ),
    "frozen long": (
        "WALLET_FROZEN_LONG",
        WARNING,
        "ListEntries",
        [frozen(wallet_pb2.FREEZE_REASON_SUBSCRIPTION_INACTIVE, days=8)],
    ),
    "grace": (
        "OPERATOR_GRACE",
        INFO,
        "ListSubscriptionChanges",
        [change_to("level", operator_grace_end_time=ago(hours=-1))],
    ),
    "unknown": (
        "ORGANIZATION_UNKNOWN",
        BLOCKING,
        "ListWallets",
        [
            without("wallet", "subscriptions", "level", "subaccounts"),
            lambda seen: seen.eligibility.ClearField("subscription"),
            lambda seen: seen.eligibility.ClearField("wallet"),
        ],
    ),
}
# What is said besides, for it is amiss as well.
BESIDES = {"unknown": {"SUBSCRIPTION_MISSING", "WALLET_MISSING"}}


def test_all_is_well() -> None:
    case = organization_case()
    assert conclude(RULES, case) == []
    assert can_send(case)


@pytest.mark.parametrize("amiss", AMISS)
def test_what_is_amiss_is_found(amiss: str) -> None:
    code, severity, method, changes = AMISS[amiss]
    first, *others = conclude(RULES, organization_case(*changes))
    assert (first.code, first.severity) == (code, severity)
    assert {other.code for other in others} == BESIDES.get(amiss, set())
    assert first.what
    assert first.why
    assert first.next_step.endswith(f"/{method}")


def test_every_rule_has_something_to_find() -> None:
    cases = [organization_case(*changes) for _, _, _, changes in AMISS.values()]
    cases += [organization_case(unanswered={"wallet": Unanswered(each, "no")}) for each in Silence]
    idle = [rule for rule in RULES if not any(finds(rule, case) for case in cases)]
    assert not idle


def finds(rule: Rule[OrganizationCase], case: OrganizationCase) -> bool:
    return bool(list(rule(case)))


@pytest.mark.parametrize("amiss", AMISS)
def test_next_steps_are_requests_that_can_be_sent(amiss: str) -> None:
    for finding in conclude(RULES, organization_case(*AMISS[amiss][3])):
        request_of(finding)


@pytest.mark.parametrize(
    "silence", [each for each in Silence if each is not Silence.SET_UP_OUTDATED]
)
def test_who_does_not_answer_comes_first_and_forbids_sending(silence: Silence) -> None:
    changes: list[Callable[[diagnosis_pb2.Seen], object]] = [without("wallet"), pending]
    case = organization_case(*changes, unanswered={"wallet": Unanswered(silence, "no")})
    findings = conclude(RULES, case)
    assert findings[0].code == silence
    # What was not heard of is not told of as missing.
    assert "WALLET_MISSING" not in {finding.code for finding in findings}
    assert not can_send(case)


@pytest.mark.parametrize(
    "change",
    [
        change_to("emergency_stop", active=True),
        change_to("sending", blockers=[subaccount_pb2.BLOCKER_DEBT_OWED]),
        change_to("wallet", frozen=True),
        lambda seen: setattr(seen.wallet, "available_micros", 0),
        lambda seen: setattr(seen.eligibility, "eligible", False),
        lambda seen: setattr(seen.level, "good_standing", False),
        without("wallet"),
        without("sending"),
    ],
)
def test_whoever_says_no_is_believed(change: ChangeSeen) -> None:
    assert not can_send(organization_case(change))


def test_a_drift_that_is_being_driven_is_none() -> None:
    def just_now(seen: diagnosis_pb2.Seen) -> None:
        seen.subaccounts[0].drifted = True
        seen.subaccounts[0].drift_time.CopyFrom(ago(seconds=1))

    assert conclude(RULES, organization_case(just_now)) == []


def test_a_provider_that_sees_the_same_is_no_finding() -> None:
    def compared(seen: diagnosis_pb2.Seen) -> None:
        differing(seen)
        seen.comparisons[0].differs = False

    assert conclude(RULES, organization_case(compared)) == []


def test_a_database_that_was_set_up_long_ago_keeps_nobody_from_sending() -> None:
    outdated = Unanswered(Silence.SET_UP_OUTDATED, "run the script")
    case = organization_case(unanswered={"wallet": outdated})
    [finding] = conclude(RULES, case)
    assert (finding.code, finding.severity) == ("SET_UP_OUTDATED", WARNING)
    assert can_send(case)
