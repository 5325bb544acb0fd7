"""Stripe behind the gateway's port."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from services.billing_gateway.domain.observations import Observation, PaymentLinked, Translation
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import (
    Answer,
    EventIdentity,
    Headers,
    OpenCheckout,
    ProviderRefusedError,
    ProviderUnavailableError,
    SubscriptionOrder,
    TopUpOrder,
    UnknownToProviderError,
)
from services.billing_gateway.reading import UnreadableError, optional_id, required_id
from services.billing_gateway.stripe.api import StripeApi
from services.billing_gateway.stripe.body import get_data, parse_event, required_text
from services.billing_gateway.stripe.orders import subscription_session, top_up_session
from services.billing_gateway.stripe.signature import verify_signature
from services.billing_gateway.stripe.translation import TranslationRules, translate_event
from services.billing_gateway.stripe.translation.checkouts import observe_checkout
from services.billing_gateway.stripe.translation.payments import observe_invoice_payment
from services.billing_gateway.stripe.translation.subscriptions import observe_subscription
from services.billing_gateway.stripe.translation.told import (
    CHARGE,
    INTENT,
    Told,
    payment_objects,
)

SESSIONS = "/v1/checkout/sessions"
# Charges of other means of payment than cards are named otherwise.
CHARGE_PREFIXES = ("ch_", "py_")


class StripeProvider:
    """One Stripe account: heard by its webhooks, and asked where there is a key."""

    name = Provider.STRIPE
    cancels_at_period_end = True

    def __init__(
        self,
        *,
        webhook_secrets: Sequence[str],
        signature_tolerance: timedelta,
        rules: TranslationRules,
        api: StripeApi | None,
    ) -> None:
        self._webhook_secrets = webhook_secrets
        self._signature_tolerance = signature_tolerance
        self._rules = rules
        self._api_if_any = api

    @property
    def can_be_asked(self) -> bool:
        """Whether there is a key."""
        return self._api_if_any is not None

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> None:
        """Raise DeliveryRefusedError unless Stripe signed these very bytes lately."""
        verify_signature(headers, body, self._webhook_secrets, now, self._signature_tolerance)

    def identify(self, body: bytes) -> EventIdentity | None:
        """Return the event's id and type; None if the body cannot be read."""
        try:
            event = parse_event(body)
        except UnreadableError:
            return None
        return EventIdentity(event.event_id, event.event_type)

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Return what the event says."""
        return translate_event(body, receive_time, self._rules)

    async def create_top_up(self, order: TopUpOrder) -> OpenCheckout:
        """Make a session for a one-off payment."""
        parameters = top_up_session(order)
        return _open(
            await self._api.post("create_session", SESSIONS, key=order.intent_id, **parameters)
        )

    async def create_subscription(self, order: SubscriptionOrder) -> OpenCheckout:
        """Make a session that will make a subscription."""
        parameters = subscription_session(order)
        return _open(
            await self._api.post("create_session", SESSIONS, key=order.intent_id, **parameters)
        )

    async def complete_top_up(
        self,
        checkout_id: str,
        key: str,  # noqa: ARG002 - Stripe takes the money by itself, so there is nothing to repeat
    ) -> Answer:
        """Return how the session stands."""
        return await self.fetch_checkout(checkout_id)

    async def fetch_checkout(self, checkout_id: str) -> Answer:
        """Return how a session stands, and what was paid by it."""
        path = f"{SESSIONS}/{checkout_id}"
        told = await self._api.get("get_session", path, expand=["payment_intent"])
        return _read(told, observe_checkout)

    async def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, note: str
    ) -> None:
        """End a subscription."""
        path = f"/v1/subscriptions/{subscription_id}"
        details: dict[str, Any] = {"cancellation_details": {"comment": note}} if note else {}
        if at_period_end:
            await self._api.post("update_subscription", path, cancel_at_period_end=True, **details)
        else:
            await self._api.delete("cancel_subscription", path, **details)

    async def reactivate_subscription(
        self,
        subscription_id: str,
        *,
        note: str,  # noqa: ARG002 - Stripe has no place for it
    ) -> None:
        """Let a paused subscription run again. One that is unpaid Stripe refuses: it is to pay."""
        path = f"/v1/subscriptions/{subscription_id}/resume"
        await self._api.post("resume_subscription", path)

    async def fetch_subscription(self, subscription_id: str) -> Answer:
        """Return how a subscription stands now."""
        told = await self._api.get("get_subscription", f"/v1/subscriptions/{subscription_id}")
        return _read(told, observe_subscription)

    async def resolve(self, object_id: str) -> Answer:
        """Return which payment a charge is of, and which invoice that pays.

        Nothing is told as paid: that comes with its own event, or never concerned Tollgate.
        """
        if object_id.startswith(CHARGE_PREFIXES):
            return await self._resolve_charge(object_id)
        if object_id.startswith("pi_"):
            return await self._resolve_intent(object_id)
        raise UnknownToProviderError(f"{object_id} is neither a charge nor a payment intent")

    async def close(self) -> None:
        """Close every connection."""
        if self._api_if_any is not None:
            await self._api_if_any.close()

    async def _resolve_charge(self, charge_id: str) -> Answer:
        charge = await self._api.get("get_charge", f"/v1/charges/{charge_id}")
        intent_id = optional_id(charge.object, "payment_intent")
        if not intent_id:
            return Answer((), charge.receive_time)
        linked = PaymentLinked(payment_objects((intent_id, INTENT), (charge_id, CHARGE)))
        invoices = await self._resolve_intent(intent_id)
        return Answer((linked, *invoices.observations), charge.receive_time)

    async def _resolve_intent(self, intent_id: str) -> Answer:
        payment = {"type": "payment_intent", "payment_intent": intent_id}
        told = await self._api.get("list_invoice_payments", "/v1/invoice_payments", payment=payment)
        return _read(told, _observe_invoice_payments)

    @property
    def _api(self) -> StripeApi:
        if self._api_if_any is None:
            raise ProviderRefusedError("Stripe cannot be asked: STRIPE_API_KEY is not set")
        return self._api_if_any


def _open(told: Told) -> OpenCheckout:
    with _reading():
        return OpenCheckout(required_id(told.object, "id"), required_text(told.object, "url"))


def _read(told: Told, observe: Callable[[Told], tuple[Observation, ...]]) -> Answer:
    with _reading():
        return Answer(observe(told), told.receive_time)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ProviderUnavailableError(f"an answer that cannot be read: {error}") from error


def _observe_invoice_payments(told: Told) -> tuple[Observation, ...]:
    return tuple(
        linked
        for payment in get_data({"list": told.object}, "list")
        for linked in observe_invoice_payment(Told(payment, told.time, told.receive_time))
    )
