"""What the services are asked about one organization."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.operator_console.clients.asking import Asking, Question
from services.operator_console.clients.stubs import Stubs
from services.operator_console.domain.findings import Unanswered
from services.operator_console.domain.timeline import Histories
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    payment_pb2,
    webhook_event_pb2,
)
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.operations.v1 import operations_service_pb2
from tollgate.operator_console.v1 import diagnosis_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

PAGE_SIZE = 50
ENTRIES_PAGE_SIZE = 200
UNSETTLED_PAGE_SIZE = 200
UNSETTLED = (
    webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED,
    webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED,
    webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD,
)


@dataclass
class Look:
    """What was seen of an organization, and who has not answered."""

    seen: diagnosis_pb2.Seen = field(default_factory=diagnosis_pb2.Seen)
    histories: Histories = field(default_factory=Histories)
    # Of everybody, newest first: whose an event is may not be known before it is settled.
    unsettled: list[webhook_event_pb2.WebhookEvent] = field(default_factory=list)
    unanswered: Mapping[str, Unanswered] = field(default_factory=dict)


class OrganizationsClient:
    """Looks at one organization through all services."""

    def __init__(self, stubs: Stubs, asking: Asking) -> None:
        self._stubs = stubs
        self._asking = asking

    async def look(self, organization_id: str) -> Look:
        """Ask everything at once."""
        look = Look()
        own = {
            "wallet": self._to_wallet,
            "campaign": self._to_campaign,
            "telephony": self._to_telephony,
            "billing_gateway": self._to_gateway,
        }
        look.unanswered = await self._asking.ask(
            {
                service: [
                    *questions(organization_id, look),
                    *self._to_operations(service, organization_id, look),
                ]
                for service, questions in own.items()
            }
        )
        return look

    def _to_wallet(self, organization_id: str, look: Look) -> Iterator[Question]:
        messages, stub, seen = wallet_service_pb2, self._stubs.wallet, look.seen
        yield Question(
            stub.GetWallet,
            messages.GetWalletRequest(organization_id=organization_id),
            lambda answer: seen.wallet.CopyFrom(answer.wallet),
        )
        yield Question(
            stub.ListEntries,
            messages.ListEntriesRequest(
                organization_id=organization_id, page_size=ENTRIES_PAGE_SIZE
            ),
            lambda answer: look.histories.entries.extend(answer.entries),
        )
        yield Question(
            stub.ListAnnouncements,
            messages.ListAnnouncementsRequest(organization_id=organization_id),
            lambda answer: seen.announcements.extend(answer.announcements),
        )

    def _to_campaign(self, organization_id: str, look: Look) -> Iterator[Question]:
        messages, stub, seen = campaign_service_pb2, self._stubs.campaign, look.seen
        yield Question(
            stub.GetEligibility,
            messages.GetEligibilityRequest(organization_id=organization_id),
            lambda answer: seen.eligibility.CopyFrom(answer.eligibility),
        )
        yield Question(
            stub.GetEmergencyStop,
            messages.GetEmergencyStopRequest(),
            lambda answer: seen.emergency_stop.CopyFrom(answer.emergency_stop),
        )
        yield Question(
            stub.ListCampaigns,
            messages.ListCampaignsRequest(
                organization_id=organization_id,
                state=campaign_pb2.CAMPAIGN_STATE_PAUSED,
                page_size=PAGE_SIZE,
            ),
            lambda answer: _take_new(seen.paused_campaigns, answer.campaigns),
        )
        yield Question(
            stub.ListCampaigns,
            messages.ListCampaignsRequest(
                organization_id=organization_id,
                pause_reason=campaign_pb2.PAUSE_REASON_MANUAL_PAUSE,
                page_size=PAGE_SIZE,
            ),
            lambda answer: _take_new(seen.paused_campaigns, answer.campaigns),
        )
        yield Question(
            stub.ListCampaignChanges,
            messages.ListCampaignChangesRequest(
                organization_id=organization_id, page_size=PAGE_SIZE
            ),
            lambda answer: look.histories.campaign_changes.extend(answer.changes),
        )

    def _to_telephony(self, organization_id: str, look: Look) -> Iterator[Question]:
        messages, stub, seen = telephony_service_pb2, self._stubs.telephony, look.seen
        yield Question(
            stub.GetOrganization,
            messages.GetOrganizationRequest(organization_id=organization_id),
            lambda answer: seen.sending.CopyFrom(answer.organization),
        )
        yield Question(
            stub.ListSubaccounts,
            messages.ListSubaccountsRequest(organization_id=organization_id, page_size=PAGE_SIZE),
            lambda answer: seen.subaccounts.extend(answer.subaccounts),
        )
        yield Question(
            stub.GetTwilioHealth,
            messages.GetTwilioHealthRequest(),
            lambda answer: seen.twilio.CopyFrom(answer.health),
        )
        yield Question(
            stub.ListSubaccountChanges,
            messages.ListSubaccountChangesRequest(
                organization_id=organization_id, page_size=PAGE_SIZE
            ),
            lambda answer: look.histories.subaccount_changes.extend(answer.changes),
        )

    def _to_gateway(self, organization_id: str, look: Look) -> Iterator[Question]:
        messages, stub, seen = billing_gateway_service_pb2, self._stubs.billing_gateway, look.seen
        subscriptions = billing_gateway_service_subscriptions_pb2
        yield Question(
            stub.GetSubscription,
            messages.GetSubscriptionRequest(organization_id=organization_id),
            lambda answer: _take_subscription(seen, answer),
        )
        yield Question(
            stub.ListPayments,
            billing_gateway_service_payments_pb2.ListPaymentsRequest(
                organization_id=organization_id, page_size=PAGE_SIZE
            ),
            lambda answer: _take_new(seen.payments, answer.payments),
        )
        yield Question(
            stub.ListPayments,
            billing_gateway_service_payments_pb2.ListPaymentsRequest(
                organization_id=organization_id,
                state=payment_pb2.PAYMENT_STATE_PARKED,
                page_size=PAGE_SIZE,
            ),
            lambda answer: _take_new(seen.payments, answer.payments),
        )
        yield Question(
            stub.ListWebhookEvents,
            messages.ListWebhookEventsRequest(organization_id=organization_id, page_size=PAGE_SIZE),
            lambda answer: _take_events(look, answer),
        )
        for state in UNSETTLED:
            yield Question(
                stub.ListWebhookEvents,
                messages.ListWebhookEventsRequest(state=state, page_size=UNSETTLED_PAGE_SIZE),
                lambda answer: look.unsettled.extend(answer.events),
            )
        yield Question(
            stub.ListSubscriptionChanges,
            subscriptions.ListSubscriptionChangesRequest(
                organization_id=organization_id, page_size=PAGE_SIZE
            ),
            lambda answer: look.histories.subscription_changes.extend(answer.changes),
        )
        yield Question(
            stub.CompareSubscriptions,
            messages.CompareSubscriptionsRequest(organization_id=organization_id),
            lambda answer: seen.comparisons.extend(answer.comparisons),
        )
        yield Question(
            stub.ListAnnouncements,
            messages.ListAnnouncementsRequest(organization_id=organization_id),
            lambda answer: seen.announcements.extend(answer.announcements),
        )

    def _to_operations(self, service: str, organization_id: str, look: Look) -> Iterator[Question]:
        messages, stub = operations_service_pb2, self._stubs.operations[service]
        yield Question(
            stub.ListLongTransactions,
            messages.ListLongTransactionsRequest(),
            lambda answer: look.seen.long_transactions.extend(
                diagnosis_pb2.ServiceTransaction(service=service, transaction=each)
                for each in answer.transactions
            ),
        )
        yield Question(
            stub.ListOperatorActions,
            messages.ListOperatorActionsRequest(
                organization_id=organization_id, page_size=PAGE_SIZE
            ),
            lambda answer: look.histories.actions.extend(
                (service, action) for action in answer.actions
            ),
        )


def _take_subscription(
    seen: diagnosis_pb2.Seen, answer: billing_gateway_service_pb2.GetSubscriptionResponse
) -> None:
    deciding = answer.deciding_subscription
    others = (each for each in answer.subscriptions if each != deciding)
    if answer.HasField("deciding_subscription"):
        seen.subscriptions.append(deciding)
    seen.subscriptions.extend(others)
    seen.level.CopyFrom(answer.level)


def _take_new(seen: Any, told: Iterable[object]) -> None:
    """Take what another question has not found already."""
    seen.extend([each for each in told if each not in seen])


def _take_events(look: Look, answer: billing_gateway_service_pb2.ListWebhookEventsResponse) -> None:
    look.seen.events.extend(answer.events)
    look.histories.events.extend(answer.events)
