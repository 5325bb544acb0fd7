"""What may have been credited by all that was delivered: read simply, apart from the gateway."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.billing_gateway.domain.values import Provider

# Of the currencies that are told here; one that is not listed is none.
DECIMALS = {
    Provider.PAYPAL: {"USD": 2, "EUR": 2, "JPY": 0, "HUF": 0},
    Provider.STRIPE: {"USD": 2, "EUR": 2, "JPY": 0, "HUF": 2, "KWD": 3},
}
PAYPAL_SUCCESSES = ("PAYMENT.SALE.COMPLETED", "PAYMENT.CAPTURE.COMPLETED")
STRIPE_SUCCESSES = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
DECIMAL_NUMBER = re.compile(r"([0-9]*)\.?([0-9]*)")


@dataclass(frozen=True)
class Delivery:
    """A body, rightly signed, and the organizations of whose events it was made."""

    provider: Provider
    body: bytes
    organization_ids: frozenset[str]


@dataclass(frozen=True)
class Success:
    """That a payment succeeded, as an event tells it."""

    object_id: str
    amount_micros: int
    currency_code: str


def success_of(provider: Provider, body: bytes) -> Success | None:
    """Return the payment that an event tells of; None if it tells of none, or not clearly."""
    try:
        told = json.loads(body.decode(), object_pairs_hook=_each_once)
        success = _of_paypal(told) if provider is Provider.PAYPAL else _of_stripe(told)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return success if success is not None and success.amount_micros > 0 else None


def _of_paypal(told: Any) -> Success | None:
    if told["event_type"] not in PAYPAL_SUCCESSES:
        return None
    resource = told["resource"]
    amount = resource["amount"]
    currency = amount.get("currency_code", amount.get("currency"))
    decimals = DECIMALS[Provider.PAYPAL][currency]
    number = DECIMAL_NUMBER.fullmatch(amount.get("value", amount.get("total")))
    if number is None or number[2].rstrip("0")[decimals:]:
        return None
    micros = int(number[1] or "0") * 10**6 + int(number[2].ljust(6, "0")[:6])
    return Success(_id(resource["id"]), micros, currency)


def _of_stripe(told: Any) -> Success | None:
    found = told["data"]["object"]
    if told["type"] in STRIPE_SUCCESSES:
        if (found["mode"], found["payment_status"]) != ("payment", "paid"):
            return None
        object_id, amount = found["payment_intent"], found["amount_total"]
    elif told["type"] == "invoice.paid":
        object_id, amount = found["id"], found["amount_paid"]
    else:
        return None
    currency = found["currency"].upper()
    if type(amount) is not int:
        return None
    micros = amount * 10 ** (6 - DECIMALS[Provider.STRIPE][currency])
    return Success(_id(object_id), micros, currency)


def _id(value: Any) -> str:
    found = value["id"] if isinstance(value, dict) else value
    if not isinstance(found, str):
        raise TypeError
    return found


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)
