"""What a request for a Checkout session asks for, and what Stripe refuses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dev.simulators.stripe.errors import refused
from dev.simulators.stripe.forms import Form, texts
from dev.simulators.stripe.objects import Session

# The least that Stripe takes, in the smallest unit, where it is not 50.
AMOUNT_MIN = {"jpy": 50, "huf": 17_500, "gbp": 30}
AMOUNT_MAX = 99_999_999


def order_session(form: Form, now: datetime) -> Session:
    """Return the session that is asked for, not kept yet."""
    items = form.get("line_items")
    if not isinstance(items, dict) or len(items) != 1 or "success_url" not in form:
        raise refused("Missing required param: line_items or success_url.", "parameter_missing")
    [item] = items.values()
    session = Session(
        created=now,
        mode=form.get("mode", "payment"),
        client_reference_id=form.get("client_reference_id", ""),
        metadata=texts(form, "metadata"),
        success_url=form["success_url"],
        cancel_url=form.get("cancel_url", ""),
    )
    if session.mode == "subscription":
        return _with_price(session, item, form)
    return _with_amount(session, item, form)


def _with_price(session: Session, item: Mapping[str, Any], form: Form) -> Session:
    if not str(item.get("price")).startswith("price_"):
        raise refused(f"No such price: '{item.get('price')}'", "resource_missing")
    session.price_id = item["price"]
    session.made_metadata = texts(form.get("subscription_data", {}), "metadata")
    return session


def _with_amount(session: Session, item: Mapping[str, Any], form: Form) -> Session:
    price = item.get("price_data", {})
    session.currency = price.get("currency", "")
    session.amount = int(price.get("unit_amount", 0))
    session.made_metadata = texts(form.get("payment_intent_data", {}), "metadata")
    if session.amount < AMOUNT_MIN.get(session.currency, 50):
        raise refused("The amount is below the least that can be charged.", "amount_too_small")
    if session.amount > AMOUNT_MAX:
        raise refused("The amount must be no more than 999,999.99.", "amount_too_large")
    return session
