"""Messages of the gateway, and the names of enums in both directions."""

from libs.levels import SubscriptionState
from libs.rpc.times import optional_time, to_timestamp
from services.billing_gateway.domain.standing import SeenSubscription
from services.billing_gateway.domain.values import (
    ChangeCause,
    Component,
    EventFilter,
    EventState,
    PaymentState,
    Provider,
    SubscriptionChange,
    WebhookEvent,
)
from services.billing_gateway.operations.queries.payments import SeenPayment
from services.billing_gateway.operations.queries.subscriptions import SeenOrganization
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_events_pb2,
    billing_gateway_service_pb2,
    payment_pb2,
    provider_pb2,
    subscription_pb2,
    webhook_event_pb2,
)


def event_filter(
    request: billing_gateway_service_pb2.ListWebhookEventsRequest
    | billing_gateway_service_events_pb2.ReplayWebhookEventsRequest,
) -> EventFilter:
    """Return the filter of a request."""
    return EventFilter(
        provider=optional_provider(request.provider),
        state=_optional_event_state(request.state),
        event_type=request.event_type,
        organization_id=request.organization_id,
        object_id=request.provider_object_id,
        received_after=optional_time(request, "received_after"),
        received_before=optional_time(request, "received_before"),
    )


def to_provider(value: provider_pb2.Provider.ValueType) -> Provider:
    """Return the provider of a message."""
    return Provider(provider_pb2.Provider.Name(value).removeprefix("PROVIDER_"))


def optional_provider(value: provider_pb2.Provider.ValueType) -> Provider | None:
    """Return the provider of a filter, None where it is unset."""
    return to_provider(value) if value else None


def optional_payment_state(value: payment_pb2.PaymentState.ValueType) -> PaymentState | None:
    """Return the state of a filter, None where it is unset."""
    name = payment_pb2.PaymentState.Name(value)
    return PaymentState(name.removeprefix("PAYMENT_STATE_")) if value else None


def optional_subscription_state(
    value: subscription_pb2.SubscriptionState.ValueType,
) -> SubscriptionState | None:
    """Return the state of a filter, None where it is unset."""
    name = subscription_pb2.SubscriptionState.Name(value)
    return SubscriptionState(name.removeprefix("SUBSCRIPTION_STATE_")) if value else None


def provider_value(provider: Provider) -> provider_pb2.Provider.ValueType:
    """Return a provider on the wire."""
    return provider_pb2.Provider.Value(f"PROVIDER_{provider}")


def _optional_event_state(
    value: webhook_event_pb2.WebhookEventState.ValueType,
) -> EventState | None:
    name = webhook_event_pb2.WebhookEventState.Name(value)
    return EventState(name.removeprefix("WEBHOOK_EVENT_STATE_")) if value else None


def subscription_state_value(
    state: SubscriptionState | None,
) -> subscription_pb2.SubscriptionState.ValueType:
    """Return a state on the wire; of a subscription of which nothing was heard, none."""
    if state is None:
        return subscription_pb2.SUBSCRIPTION_STATE_UNSPECIFIED
    return subscription_pb2.SubscriptionState.Value(f"SUBSCRIPTION_STATE_{state}")


def event_state_value(state: EventState) -> webhook_event_pb2.WebhookEventState.ValueType:
    """Return a state on the wire."""
    return webhook_event_pb2.WebhookEventState.Value(f"WEBHOOK_EVENT_STATE_{state}")


def subscription_message(seen: SeenSubscription) -> subscription_pb2.Subscription:
    """Return a subscription as it is told."""
    subscription = seen.subscription
    return subscription_pb2.Subscription(
        organization_id=subscription.organization_id,
        provider=provider_value(subscription.provider),
        provider_subscription_id=subscription.subscription_id,
        provider_customer_id=subscription.customer_id,
        plan_id=subscription.plan_id,
        state=subscription_state_value(subscription.state),
        good_standing=seen.good_standing,
        current_period_end_time=to_timestamp(subscription.current_period_end_time),
        provider_update_time=to_timestamp(subscription.provider_time),
        update_time=to_timestamp(subscription.update_time),
        cancel_at_period_end=subscription.ends_with_its_period,
        grace_end_time=to_timestamp(subscription.grace_end_time),
        look_error=subscription.look_error,
    )


def level_message(standing: SeenOrganization) -> subscription_pb2.OrganizationLevel:
    """Return an organization's level as it is told."""
    level = standing.level
    return subscription_pb2.OrganizationLevel(
        revision=level.revision,
        state=subscription_state_value(level.state),
        good_standing=standing.good_standing,
        good_until=to_timestamp(level.good_until),
        operator_grace_end_time=to_timestamp(standing.operator_grace_end_time),
    )


def change_message(change: SubscriptionChange) -> subscription_pb2.SubscriptionChange:
    """Return a line of history as it is told."""
    cause = f"SUBSCRIPTION_CHANGE_CAUSE_{change.cause}"
    return subscription_pb2.SubscriptionChange(
        organization_id=change.organization_id,
        provider=provider_value(change.provider)
        if change.provider
        else provider_pb2.PROVIDER_UNSPECIFIED,
        provider_subscription_id=change.subscription_id,
        cause=subscription_pb2.SubscriptionChangeCause.Value(cause),
        from_state=subscription_state_value(change.from_state),
        to_state=subscription_state_value(change.to_state),
        event_id=change.source_id if change.cause is ChangeCause.EVENT else "",
        actor=change.actor,
        note=change.note,
        good_standing=change.good_standing,
        good_until=to_timestamp(change.good_until),
        change_time=to_timestamp(change.change_time),
    )


def payment_message(seen: SeenPayment) -> payment_pb2.Payment:
    """Return a payment as it is told."""
    payment, delivery = seen.payment, seen.delivery
    return payment_pb2.Payment(
        provider=provider_value(payment.provider),
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


def event_message(event: WebhookEvent) -> webhook_event_pb2.WebhookEvent:
    """Return an event as it is told."""
    return webhook_event_pb2.WebhookEvent(
        provider=provider_value(event.provider),
        event_id=event.event_id,
        event_type=event.event_type,
        organization_id=event.organization_id,
        state=event_state_value(event.state),
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
