"""Rules about the organization's subscription."""

from collections.abc import Iterator
from typing import Final

from services.operator_console.domain.findings import (
    BLOCKING,
    INFO,
    WARNING,
    Finding,
    age_seconds,
    name_of,
    why_note,
)
from services.operator_console.domain.organization.case import OrganizationCase
from tollgate.billing_gateway.v1 import subscription_pb2
from tollgate.operator_console.v1 import diagnosis_pb2

# A renewal is told within minutes; what is later than that does not come by itself.
RENEWAL_LATE_SECONDS: Final = 3_600.0

BY_ITSELF: Final = {
    subscription_pb2.SUBSCRIPTION_STATE_PENDING: "Once the customer has approved and paid it.",
    subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE: "The provider charges again by its own plan; "
    "once it is paid, all runs again.",
    subscription_pb2.SUBSCRIPTION_STATE_SUSPENDED: "Once the customer pays at the provider, or it "
    "is reactivated (ReactivateSubscription), all runs again.",
    subscription_pb2.SUBSCRIPTION_STATE_CANCELED: "Nothing: it is over. A new subscription that "
    "is linked lets it send again.",
}


def _blocking_unless_good(case: OrganizationCase) -> diagnosis_pb2.Severity.ValueType:
    return WARNING if case.seen.level.good_standing else BLOCKING


def _state_name(state: subscription_pb2.SubscriptionState.ValueType) -> str:
    return name_of(subscription_pb2.SubscriptionState, state).removeprefix("SUBSCRIPTION_STATE_")


def _sync(case: OrganizationCase, code: str) -> str:
    return case.commands.call(
        "billing_gateway",
        "SyncSubscription",
        organization_id=case.organization_id,
        note=why_note(code),
    )


def differing_subscriptions(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a subscription that its provider sees otherwise: a webhook has not come."""
    for each in case.seen.comparisons:
        if each.differs:
            ours, theirs = _state_name(each.subscription.state), _state_name(each.provider_state)
            code = "SUBSCRIPTION_DIFFERS"
            yield Finding(
                severity=_blocking_unless_good(case),
                code=code,
                what=f"{each.subscription.provider_subscription_id} is {ours} here and {theirs} "
                "at its provider, or its period ends at another time",
                why="A webhook of it has not come, or could not be settled.",
                by_itself="The gateway asks the provider by itself now and then.",
                next_step=_sync(case, code),
                since_time=each.subscription.update_time,
            )


def unasked_providers(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a subscription that its provider may see otherwise: it has not said."""
    for each in case.seen.comparisons:
        if each.provider_error:
            yield Finding(
                severity=WARNING,
                code="PROVIDER_CALLS_FAILING",
                what=f"the provider of {each.subscription.provider_subscription_id} does not say "
                f"how it stands: {each.provider_error}",
                why="Whether a webhook of it is missing cannot be told now. See the provider's "
                "status page; or was the API key rotated?",
                by_itself="What is known stands, webhooks still count, and the gateway asks again.",
                next_step=case.commands.call(
                    "billing_gateway",
                    "CompareSubscriptions",
                    organization_id=case.organization_id,
                ),
            )


def missed_renewal(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a period that has ended without a word of what comes next."""
    if any(each.differs for each in case.seen.comparisons):
        return
    for each in case.seen.subscriptions:
        running = each.state in (
            subscription_pb2.SUBSCRIPTION_STATE_ACTIVE,
            subscription_pb2.SUBSCRIPTION_STATE_TRIALING,
        )
        if not running or not each.HasField("current_period_end_time"):
            continue
        if age_seconds(each.current_period_end_time, case.circumstances.now) > RENEWAL_LATE_SECONDS:
            code = "WEBHOOK_MISSING"
            yield Finding(
                severity=_blocking_unless_good(case),
                code=code,
                what=f"the period of {each.provider_subscription_id} has ended, and no event has "
                "told of the next one",
                why="The provider's webhooks do not arrive, or it has not charged. Last error of "
                f"asking it: {each.look_error or 'none'}.",
                by_itself="The gateway asks the provider by itself now and then.",
                next_step=_sync(case, code),
                since_time=each.current_period_end_time,
            )


def missing_subscription(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that nobody has linked one."""
    if not case.has_answered("billing_gateway") or case.seen.subscriptions:
        return
    if not case.seen.level.good_standing:
        yield Finding(
            severity=BLOCKING,
            code="SUBSCRIPTION_MISSING",
            what=f"{case.organization_id} has no subscription",
            why="Nothing was linked (LinkSubscription, CreateSubscription). If the customer has "
            "one at the provider, its events wait in the list of the next step.",
            by_itself="LinkSubscription settles what was parked for it.",
            next_step=case.commands.call(
                "billing_gateway", "ListWebhookEvents", state="WEBHOOK_EVENT_STATE_PARKED"
            ),
        )


def inactive_subscription(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a subscription that is not paid for."""
    level = case.seen.level
    if not case.seen.subscriptions or level.good_standing:
        return
    state = _state_name(level.state)
    yield Finding(
        severity=BLOCKING,
        code="SUBSCRIPTION_INACTIVE",
        what=f"the subscription is {state}, not in good standing",
        why="So the wallet is frozen, campaigns are paused and subaccounts suspended. GrantGrace "
        "lets it send in spite of that, until a time.",
        by_itself=BY_ITSELF.get(level.state, "Once the provider tells of a paid period."),
        next_step=case.commands.call(
            "billing_gateway", "GetSubscription", organization_id=case.organization_id
        ),
        since_time=case.seen.subscriptions[0].provider_update_time,
    )


def operator_grace(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that somebody lets it send for a while."""
    level = case.seen.level
    if level.HasField("operator_grace_end_time"):
        end = level.operator_grace_end_time
        if age_seconds(end, case.circumstances.now) < 0:
            yield Finding(
                severity=INFO,
                code="OPERATOR_GRACE",
                what=f"an operator lets it send until {end.ToJsonString()}",
                why="In spite of its subscription (GrantGrace).",
                by_itself="It ends at that time.",
                next_step=case.commands.call(
                    "billing_gateway",
                    "ListSubscriptionChanges",
                    organization_id=case.organization_id,
                ),
            )
