"""BillingGatewayService on the wire."""

from datetime import UTC
from typing import Any

from libs.rpc.times import optional_time, to_timestamp
from libs.service import RpcService
from services.billing_gateway.domain.standing import SeenSubscription
from services.billing_gateway.domain.values import (
    Component,
    EventFilter,
    EventState,
    Provider,
    WebhookEvent,
)
from services.billing_gateway.operations.granting import Grace, Granting
from services.billing_gateway.operations.linking import Link, Linking
from services.billing_gateway.operations.queries import Queries, SeenOrganization
from services.billing_gateway.operations.queries.events import EventQueries
from services.billing_gateway.operations.queries.payments import PaymentQueries, SeenPayment
from services.billing_gateway.operations.replaying import Replaying
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_events_pb2,
    billing_gateway_service_pb2,
    billing_gateway_service_pb2_grpc,
    billing_gateway_service_subscriptions_pb2,
    payment_pb2,
    provider_pb2,
    subscription_pb2,
    webhook_event_pb2,
)

SERVICE_NAME = "tollgate.billing_gateway.v1.BillingGatewayService"


class BillingGatewayServicer(billing_gateway_service_pb2_grpc.BillingGatewayServiceServicer):
    """Translates; decides nothing."""

    def __init__(
        self,
        linking: Linking,
        granting: Granting,
        queries: Queries,
        payments: PaymentQueries,
        events: EventQueries,
        replaying: Replaying,
    ) -> None:
        self._linking = linking
        self._granting = granting
        self._queries = queries
        self._payments = payments
        self._events = events
        self._replaying = replaying

    async def LinkSubscription(
        self, request: billing_gateway_service_pb2.LinkSubscriptionRequest, context: Any
    ) -> billing_gateway_service_pb2.LinkSubscriptionResponse:
        """Say whose a subscription is."""
        link = Link(
            organization_id=request.organization_id,
            provider=_provider(request.provider),
            subscription_id=request.provider_subscription_id,
            customer_id=request.provider_customer_id,
            plan_id=request.plan_id,
            currency_code=request.currency_code,
        )
        await self._linking.link(link)
        seen = await self._queries.get_subscription(link.provider, link.subscription_id)
        return billing_gateway_service_pb2.LinkSubscriptionResponse(
            subscription=_subscription_message(seen)
        )

    async def GetSubscription(
        self, request: billing_gateway_service_pb2.GetSubscriptionRequest, context: Any
    ) -> billing_gateway_service_pb2.GetSubscriptionResponse:
        """Answer how an organization stands."""
        standing = await self._queries.get_standing(request.organization_id)
        return billing_gateway_service_pb2.GetSubscriptionResponse(
            deciding_subscription=_subscription_message(standing.deciding)
            if standing.deciding
            else None,
            subscriptions=[_subscription_message(each) for each in standing.subscriptions],
            level=_level_message(standing),
        )

    async def GrantGrace(
        self, request: billing_gateway_service_subscriptions_pb2.GrantGraceRequest, context: Any
    ) -> billing_gateway_service_subscriptions_pb2.GrantGraceResponse:
        """Let an organization send in spite of its subscription."""
        grace = Grace(
            organization_id=request.organization_id,
            end_time=request.until.ToDatetime(tzinfo=UTC),
            note=request.note,
            actor=request.actor,
        )
        await self._granting.grant(grace)
        standing = await self._queries.get_standing(request.organization_id)
        return billing_gateway_service_subscriptions_pb2.GrantGraceResponse(
            level=_level_message(standing)
        )

    async def GetPayment(
        self, request: billing_gateway_service_pb2.GetPaymentRequest, context: Any
    ) -> billing_gateway_service_pb2.GetPaymentResponse:
        """Answer what became of a payment."""
        seen = await self._payments.get_payment(_provider(request.provider), request.payment_id)
        return billing_gateway_service_pb2.GetPaymentResponse(payment=_payment_message(seen))

    async def ListWebhookEvents(
        self, request: billing_gateway_service_pb2.ListWebhookEventsRequest, context: Any
    ) -> billing_gateway_service_pb2.ListWebhookEventsResponse:
        """List events."""
        page = await self._events.list(
            _event_filter(request),
            request.page_size,
            request.page_token,
        )
        return billing_gateway_service_pb2.ListWebhookEventsResponse(
            events=[_event_message(event) for event in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetWebhookEvent(
        self, request: billing_gateway_service_pb2.GetWebhookEventRequest, context: Any
    ) -> billing_gateway_service_pb2.GetWebhookEventResponse:
        """Answer one event."""
        stored = await self._events.get(_provider(request.provider), request.event_id)
        return billing_gateway_service_pb2.GetWebhookEventResponse(
            event=_event_message(stored.event), body=stored.body or b""
        )

    async def ReplayWebhookEvents(
        self, request: billing_gateway_service_events_pb2.ReplayWebhookEventsRequest, context: Any
    ) -> billing_gateway_service_events_pb2.ReplayWebhookEventsResponse:
        """Settle events again."""
        replayed_count = await self._replaying.replay(_event_filter(request), request.event_id)
        return billing_gateway_service_events_pb2.ReplayWebhookEventsResponse(
            replayed_count=replayed_count
        )


def _event_filter(
    request: billing_gateway_service_pb2.ListWebhookEventsRequest
    | billing_gateway_service_events_pb2.ReplayWebhookEventsRequest,
) -> EventFilter:
    return EventFilter(
        provider=_provider(request.provider) if request.provider else None,
        state=_event_state(request.state) if request.state else None,
        event_type=request.event_type,
        organization_id=request.organization_id,
        object_id=request.provider_object_id,
        received_after=optional_time(request, "received_after"),
        received_before=optional_time(request, "received_before"),
    )


def _provider(value: provider_pb2.Provider.ValueType) -> Provider:
    return Provider(provider_pb2.Provider.Name(value).removeprefix("PROVIDER_"))


def _provider_value(provider: Provider) -> provider_pb2.Provider.ValueType:
    return provider_pb2.Provider.Value(f"PROVIDER_{provider}")


def _event_state(value: webhook_event_pb2.WebhookEventState.ValueType) -> EventState:
    name = webhook_event_pb2.WebhookEventState.Name(value)
    return EventState(name.removeprefix("WEBHOOK_EVENT_STATE_"))


def _subscription_message(seen: SeenSubscription) -> subscription_pb2.Subscription:
    subscription = seen.subscription
    return subscription_pb2.Subscription(
        organization_id=subscription.organization_id,
        provider=_provider_value(subscription.provider),
        provider_subscription_id=subscription.subscription_id,
        provider_customer_id=subscription.customer_id,
        plan_id=subscription.plan_id,
        state=subscription_pb2.SubscriptionState.Value(f"SUBSCRIPTION_STATE_{subscription.state}"),
        good_standing=seen.good_standing,
        current_period_end_time=to_timestamp(subscription.current_period_end_time),
        provider_update_time=to_timestamp(subscription.provider_time),
        update_time=to_timestamp(subscription.update_time),
        cancel_at_period_end=subscription.ends_with_its_period,
        grace_end_time=to_timestamp(subscription.grace_end_time),
        look_error=subscription.look_error,
    )


def _level_message(standing: SeenOrganization) -> subscription_pb2.OrganizationLevel:
    level = standing.level
    return subscription_pb2.OrganizationLevel(
        revision=level.revision,
        state=subscription_pb2.SubscriptionState.Value(f"SUBSCRIPTION_STATE_{level.state}"),
        good_standing=standing.good_standing,
        good_until=to_timestamp(level.good_until),
        operator_grace_end_time=to_timestamp(standing.operator_grace_end_time),
    )


def _payment_message(seen: SeenPayment) -> payment_pb2.Payment:
    payment, delivery = seen.payment, seen.delivery
    return payment_pb2.Payment(
        provider=_provider_value(payment.provider),
        payment_id=payment.payment_id,
        organization_id=payment.organization_id or "",
        provider_subscription_id=payment.subscription_id,
        plan_id=payment.plan_id,
        currency_code=payment.currency_code,
        paid_micros=payment.paid_micros or 0,
        credited_micros=payment.credited_micros or 0,
        revision=payment.revision,
        acknowledged_revision=delivery.acknowledged_revision,
        last_error=delivery.last_error,
        event_ids=payment.event_ids,
        paid_time=to_timestamp(payment.paid_time),
        create_time=to_timestamp(payment.create_time),
        state=payment_pb2.PaymentState.Value(f"PAYMENT_STATE_{payment.state}"),
        reversed_micros=payment.standing.reversed_micros,
        at_risk_micros=payment.standing.at_risk_micros,
        blocks_spending=payment.standing.blocks_spending,
        components=[_component_message(each) for each in seen.components],
        provider_object_ids=seen.object_ids,
        problem=payment.problem,
        checkout_reference_id=seen.checkout_reference_id,
    )


def _component_message(component: Component) -> payment_pb2.PaymentComponent:
    kind = f"PAYMENT_COMPONENT_KIND_{component.kind}"
    state = f"PAYMENT_COMPONENT_STATE_{component.state}"
    return payment_pb2.PaymentComponent(
        component_id=component.component_id,
        kind=payment_pb2.PaymentComponentKind.Value(kind),
        state=payment_pb2.PaymentComponentState.Value(state),
        amount_micros=component.amount_micros,
        currency_code=component.currency_code,
        blocks_spending=component.blocks_spending,
        provider_time=to_timestamp(component.provider_time),
        event_id=component.event_id,
    )


def _event_message(event: WebhookEvent) -> webhook_event_pb2.WebhookEvent:
    return webhook_event_pb2.WebhookEvent(
        provider=_provider_value(event.provider),
        event_id=event.event_id,
        event_type=event.event_type,
        organization_id=event.organization_id,
        state=webhook_event_pb2.WebhookEventState.Value(f"WEBHOOK_EVENT_STATE_{event.state}"),
        attempt_count=event.attempt_count,
        last_error=event.last_error,
        receive_time=to_timestamp(event.receive_time),
        observations=event.observations,
        body_kept=event.body_kept,
        next_attempt_time=to_timestamp(event.next_attempt_time)
        if event.state is EventState.RECEIVED
        else None,
        provider_object_ids=event.object_ids,
    )


def billing_gateway_service(
    linking: Linking,
    granting: Granting,
    queries: Queries,
    payments: PaymentQueries,
    events: EventQueries,
    replaying: Replaying,
) -> RpcService:
    """Return the gRPC service of the gateway."""
    return RpcService(
        SERVICE_NAME,
        BillingGatewayServicer(linking, granting, queries, payments, events, replaying),  # type: ignore[abstract] # the rest follows
        billing_gateway_service_pb2_grpc.add_BillingGatewayServiceServicer_to_server,
    )
