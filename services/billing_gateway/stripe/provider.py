"""Stripe behind the gateway's port."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.billing_gateway.domain.observations import Translation
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import EventIdentity, Headers
from services.billing_gateway.reading import UnreadableError
from services.billing_gateway.stripe.body import parse_event
from services.billing_gateway.stripe.signature import verify_signature
from services.billing_gateway.stripe.translation import TranslationRules, translate_event


@dataclass(frozen=True)
class StripeProvider:
    """What is configured for Stripe."""

    webhook_secrets: Sequence[str] = field(repr=False)
    signature_tolerance: timedelta
    rules: TranslationRules
    name: Provider = Provider.STRIPE

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> None:
        """Raise DeliveryRefusedError unless Stripe signed these very bytes lately."""
        verify_signature(headers, body, self.webhook_secrets, now, self.signature_tolerance)

    def identify(self, body: bytes) -> EventIdentity | None:
        """Return the event's id and type; None if the body cannot be read."""
        try:
            event = parse_event(body)
        except UnreadableError:
            return None
        return EventIdentity(event.event_id, event.event_type)

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Return what the event says."""
        return translate_event(body, receive_time, self.rules)
