"""Stripe's signature over the raw bytes of a delivery.

Source: stripe/_webhook.py. The library takes one secret a call, accepts any time in the future and
lets several exceptions through on malformed headers; all of that is made good here.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import stripe

from services.billing_gateway.ports import DeliveryRefusedError, Headers

HEADER = "Stripe-Signature"
HEADER_LENGTH_MAX = 2000
TIMESTAMP = re.compile(r"(?:^|,)t=(\d{1,12})(?=,|$)")

# What verify_header raises on headers and bodies that no honest sender makes.
REFUSALS = (
    stripe.SignatureVerificationError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)


def verify_signature(
    headers: Headers, body: bytes, secrets: Sequence[str], now: datetime, tolerance: timedelta
) -> None:
    """Raise DeliveryRefusedError unless one of the secrets signed these bytes lately."""
    header = _only_header(headers)
    _require_recent(header, now, tolerance)
    try:
        payload = body.decode()
    except UnicodeDecodeError as error:
        raise DeliveryRefusedError("the body is not UTF-8, as Stripe's always is") from error
    if not any(_is_signed_by(secret, header, payload) for secret in secrets):
        raise DeliveryRefusedError("no secret of ours made this signature")


def _only_header(headers: Headers) -> str:
    values = headers.getall(HEADER, ())
    if len(values) != 1:
        raise DeliveryRefusedError(f"{len(values)} {HEADER} headers instead of one")
    if len(values[0]) > HEADER_LENGTH_MAX or not values[0].isascii():
        raise DeliveryRefusedError(f"the {HEADER} header is malformed")
    return values[0]


def _require_recent(header: str, now: datetime, tolerance: timedelta) -> None:
    times = TIMESTAMP.findall(header)
    if len(times) != 1:
        raise DeliveryRefusedError(f"{len(times)} timestamps instead of one")
    signed = datetime.fromtimestamp(min(int(times[0]), 2**35), UTC)
    if abs(now - signed) > tolerance:
        raise DeliveryRefusedError("signed too long ago, or in the future")


def _is_signed_by(secret: str, header: str, payload: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(payload, header, secret))
    except REFUSALS:
        return False
