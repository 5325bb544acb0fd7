"""What happened to an organization across the services, newest first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from services.operator_console.domain.findings import money, name_of
from tollgate.billing_gateway.v1 import subscription_pb2, webhook_event_pb2
from tollgate.campaign.v1 import campaign_pb2
from tollgate.operations.v1 import operations_pb2
from tollgate.operator_console.v1 import diagnosis_pb2
from tollgate.telephony.v1 import subaccount_pb2
from tollgate.wallet.v1 import wallet_pb2

ENTRIES_MAX: Final = 100

TimelineEntry = diagnosis_pb2.TimelineEntry

# There are many of them, and they say little one by one.
SPENDING: Final = frozenset(
    {
        wallet_pb2.ENTRY_TYPE_DEBIT,
        wallet_pb2.ENTRY_TYPE_HOLD,
        wallet_pb2.ENTRY_TYPE_CAPTURE,
        wallet_pb2.ENTRY_TYPE_RELEASE,
        wallet_pb2.ENTRY_TYPE_EXPIRY,
    }
)


@dataclass
class Histories:
    """What the services have written down, each newest first."""

    entries: list[wallet_pb2.Entry] = field(default_factory=list)
    campaign_changes: list[campaign_pb2.CampaignChange] = field(default_factory=list)
    subaccount_changes: list[subaccount_pb2.SubaccountChange] = field(default_factory=list)
    subscription_changes: list[subscription_pb2.SubscriptionChange] = field(default_factory=list)
    events: list[webhook_event_pb2.WebhookEvent] = field(default_factory=list)
    actions: list[tuple[str, operations_pb2.OperatorAction]] = field(default_factory=list)


def to_timeline(histories: Histories) -> list[TimelineEntry]:
    """Return one line for each thing that happened, newest first."""
    lines = [
        *_of_wallet(histories.entries),
        *map(_of_campaign, histories.campaign_changes),
        *map(_of_subaccount, histories.subaccount_changes),
        *map(_of_subscription, histories.subscription_changes),
        *map(_of_event, histories.events),
        *(_of_action(service, action) for service, action in histories.actions),
    ]
    return sorted(lines, key=lambda line: -line.time.ToNanoseconds())[:ENTRIES_MAX]


def _of_wallet(entries: Iterable[wallet_pb2.Entry]) -> Iterator[TimelineEntry]:
    for is_spending, run in groupby(entries, key=lambda entry: entry.type in SPENDING):
        if is_spending:
            yield _of_spending(list(run))
        else:
            yield from map(_of_entry, run)


def _of_spending(entries: list[wallet_pb2.Entry]) -> TimelineEntry:
    newest, oldest = entries[0], entries[-1]
    counts = ", ".join(
        f"{sum(entry.type == type_ for entry in entries)} {_name(wallet_pb2.EntryType, type_)}"
        for type_ in sorted({entry.type for entry in entries})
    )
    return TimelineEntry(
        time=newest.create_time,
        service="wallet",
        what=f"{counts} since {oldest.create_time.ToJsonString()}; balance "
        f"{money(newest.balance_after_micros, newest.currency_code)}",
        reference=newest.reference_id,
    )


def _of_entry(entry: wallet_pb2.Entry) -> TimelineEntry:
    if entry.freeze_reason:
        about = _name(wallet_pb2.FreezeReason, entry.freeze_reason)
    else:
        about = money(entry.amount_micros, entry.currency_code)
    return TimelineEntry(
        time=entry.create_time,
        service="wallet",
        what=f"{_name(wallet_pb2.EntryType, entry.type)} {about}; balance "
        f"{money(entry.balance_after_micros, entry.currency_code)}",
        actor=entry.actor,
        note=entry.description,
        reference=entry.reference_id or entry.payment_id,
    )


def _of_campaign(change: campaign_pb2.CampaignChange) -> TimelineEntry:
    to_state = _name(campaign_pb2.CampaignState, change.to_state)
    reason = (
        f" ({_name(campaign_pb2.PauseReason, change.pause_reason)})" if change.pause_reason else ""
    )
    return TimelineEntry(
        time=change.create_time,
        service="campaign",
        what=f"campaign {to_state}{reason}, by "
        f"{_name(campaign_pb2.CampaignChangeCause, change.cause)}",
        actor=change.actor,
        note=change.note,
        reference=change.campaign_id,
    )


def _of_subaccount(change: subaccount_pb2.SubaccountChange) -> TimelineEntry:
    wanted = _name(subaccount_pb2.WantedState, change.wanted_to)
    observed = _name(subaccount_pb2.ObservedState, change.observed_to)
    return TimelineEntry(
        time=change.create_time,
        service="telephony",
        what=f"subaccount wanted {wanted}, observed {observed}, {_cause_of(change)}",
        actor=change.actor,
        note=change.note or change.error,
        reference=change.account_sid,
    )


def _cause_of(change: subaccount_pb2.SubaccountChange) -> str:
    # What Twilio answered to Tollgate was not Twilio's wish.
    if change.cause == subaccount_pb2.SUBACCOUNT_CHANGE_CAUSE_TWILIO:
        return "as Twilio answered"
    if change.cause == subaccount_pb2.SUBACCOUNT_CHANGE_CAUSE_DRIFT:
        return "found so at Twilio"
    return f"by {_name(subaccount_pb2.SubaccountChangeCause, change.cause)}"


def _of_subscription(change: subscription_pb2.SubscriptionChange) -> TimelineEntry:
    # Of the organization's own, such as a grace, there is no subscription.
    state = (
        f"{_name(subscription_pb2.SubscriptionState, change.to_state)}, "
        if change.provider_subscription_id
        else ""
    )
    standing = "in good standing" if change.good_standing else "not in good standing"
    return TimelineEntry(
        time=change.change_time,
        service="billing_gateway",
        what=f"subscription {state}{standing}, by "
        f"{_name(subscription_pb2.SubscriptionChangeCause, change.cause)}",
        actor=change.actor,
        note=change.note,
        reference=change.provider_subscription_id or change.event_id,
    )


def _of_event(event: webhook_event_pb2.WebhookEvent) -> TimelineEntry:
    state = _name(webhook_event_pb2.WebhookEventState, event.state)
    return TimelineEntry(
        time=event.receive_time,
        service="billing_gateway",
        what=f"received {event.event_type}: {state}",
        note=event.last_error,
        reference=event.event_id,
    )


def _of_action(service: str, action: operations_pb2.OperatorAction) -> TimelineEntry:
    return TimelineEntry(
        time=action.create_time,
        service=service,
        what=action.action,
        actor=action.actor,
        note=action.note,
        reference=action.reference,
    )


def _name(enum: Any, value: int) -> str:
    """Return a value without the prefix that all values of its enum have."""
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return name_of(enum, value).removeprefix(prefix)
