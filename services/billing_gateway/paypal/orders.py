"""What PayPal is asked to make, as PayPal wants it written."""

from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.paypal.amounts import to_text
from services.billing_gateway.paypal.body import read_address, write_claim
from services.billing_gateway.ports import (
    ProviderUnavailableError,
    SubscriptionOrder,
    TopUpOrder,
)
from services.billing_gateway.reading import JsonObject, get_list, optional_id

APPROVAL_LINKS = ("payer-action", "approve")
REASON_LENGTH_MAX = 128


def top_up_body(order: TopUpOrder) -> JsonObject:
    """Return the order of a top-up; raise AmountRefusedError."""
    money = {
        "currency_code": order.currency_code,
        "value": to_text(order.amount_micros, order.currency_code),
    }
    unit = {
        "amount": money,
        # PayPal takes no second payment for it.
        "invoice_id": order.intent_id,
        **_custom_id(order.claim),
    }
    context = {
        "return_url": order.return_url,
        "cancel_url": order.cancel_url,
        "user_action": "PAY_NOW",
        "shipping_preference": "NO_SHIPPING",
    }
    return {
        "intent": "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": context}},
    }


def subscription_body(order: SubscriptionOrder) -> JsonObject:
    """Return a subscription to be approved."""
    context = {
        "return_url": order.return_url,
        "cancel_url": order.cancel_url,
        "user_action": "SUBSCRIBE_NOW",
        "shipping_preference": "NO_SHIPPING",
    }
    return {
        "plan_id": order.plan_id,
        "application_context": context,
        **_custom_id(order.claim),
    }


def reason_body(note: str) -> JsonObject:
    """Return why something is done to a subscription; PayPal wants to be told."""
    return {"reason": note[:REASON_LENGTH_MAX] or "Asked for by the platform"}


def approval_of(made: JsonObject) -> tuple[str, str]:
    """Return the id of what was made, and where its customer approves it."""
    object_id = optional_id(made, "id")
    for link in get_list(made, "links"):
        if object_id and link.get("rel") in APPROVAL_LINKS and read_address(link):
            return object_id, read_address(link)
    raise ProviderUnavailableError("an answer that does not say where to approve")


def _custom_id(claim: Claim) -> JsonObject:
    text = write_claim(claim)
    return {"custom_id": text} if text else {}
