"""What Stripe is asked to make: Checkout sessions, with a proof of whose they are."""

from typing import Any

from services.billing_gateway.ports import AmountRefusedError, SubscriptionOrder, TopUpOrder
from services.billing_gateway.stripe.claims import write_claim
from services.billing_gateway.stripe.currencies import from_micros

# Shown to the customer on Stripe's page.
TOP_UP_NAME = "Top-up"


def top_up_session(order: TopUpOrder) -> dict[str, Any]:
    """Return the parameters of a session that takes exactly this amount in this currency."""
    metadata = write_claim(order.claim)
    price = {
        "currency": order.currency_code.lower(),
        "unit_amount": _to_amount(order),
        "product_data": {"name": TOP_UP_NAME},
    }
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        # Stripe would offer the customer's own currency, and the wallet be paid in that.
        "adaptive_pricing": {"enabled": False},
        "payment_intent_data": {"metadata": metadata},
        **_common(order, metadata),
    }


def subscription_session(order: SubscriptionOrder) -> dict[str, Any]:
    """Return the parameters of a session that makes a subscription to one plan."""
    metadata = write_claim(order.claim)
    return {
        "mode": "subscription",
        "line_items": [{"quantity": 1, "price": order.plan_id}],
        "subscription_data": {"metadata": metadata},
        **_common(order, metadata),
    }


def _common(order: TopUpOrder | SubscriptionOrder, metadata: dict[str, str]) -> dict[str, Any]:
    return {
        "client_reference_id": order.claim.organization_id,
        "metadata": metadata,
        "success_url": order.return_url,
        "cancel_url": order.cancel_url,
    }


def _to_amount(order: TopUpOrder) -> int:
    try:
        return from_micros(order.amount_micros, order.currency_code)
    except ValueError as error:
        raise AmountRefusedError(str(error)) from error
