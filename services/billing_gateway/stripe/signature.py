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
# Strict, since the library reads the first thing that int() takes for a number; it must not be
# another timestamp than the one whose age is checked here.
HEADER_FORM = re.compile(r"t=([0-9]{1,12})(?:,v[0-9]+=[0-9A-Za-z]+)+")

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
    if len(values[0]) > HEADER_LENGTH_MAX:
        raise DeliveryRefusedError(f"the {HEADER} header is malformed")
    return values[0]


def _require_recent(header: str, now: datetime, tolerance: timedelta) -> None:
    form = HEADER_FORM.fullmatch(header)
    if form is None:
        raise DeliveryRefusedError(f"the {HEADER} header is malformed")
    signed = datetime.fromtimestamp(min(int(form[1]), 2**35), UTC)
    if abs(now - signed) > tolerance:
        raise DeliveryRefusedError("signed too long ago, or in the future")


def _is_signed_by(secret: str, header: str, payload: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(payload, header, secret))
    except REFUSALS:
        return False
