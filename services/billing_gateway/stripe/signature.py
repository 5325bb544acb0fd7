"""Stripe's signature over the raw bytes of a delivery.

HMAC-SHA256 over "<t>.<body>", as stripe/_webhook.py has it, but over the bytes as they came: the
library wants text, and so cannot tell who signed bytes that are none. It also takes one secret a
call and any time in the future; the tests ask it for a second opinion.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.billing_gateway.ports import DeliveryRefusedError, Headers, SignatureMismatchError

HEADER = "Stripe-Signature"
HEADER_LENGTH_MAX = 2000
# Strict, so that no reader can find another timestamp in it than the one that was signed.
HEADER_FORM = re.compile(r"t=([0-9]{1,12})((?:,v[0-9]+=[0-9A-Za-z]+)+)")
SIGNATURE = re.compile(r",v1=([0-9a-f]{64})(?![0-9A-Za-z])")
# Far beyond any tolerance, and still a time.
TIMESTAMP_MAX = 2**35


def verify_signature(
    headers: Headers, body: bytes, secrets: Sequence[str], now: datetime, tolerance: timedelta
) -> None:
    """Raise DeliveryRefusedError unless one of the secrets signed these bytes lately."""
    form = HEADER_FORM.fullmatch(_only_header(headers))
    if form is None:
        raise DeliveryRefusedError(f"the {HEADER} header is malformed")
    timestamp, signatures = form.groups()
    _require_recent(timestamp, now, tolerance)
    signed = timestamp.encode() + b"." + body
    made = [hmac.new(secret.encode(), signed, "sha256").hexdigest() for secret in secrets]
    given = SIGNATURE.findall(signatures)
    if not any(hmac.compare_digest(ours, theirs) for ours in made for theirs in given):
        raise SignatureMismatchError("no secret of ours made this signature")


def _only_header(headers: Headers) -> str:
    values = headers.getall(HEADER, ())
    if len(values) != 1:
        raise DeliveryRefusedError(f"{len(values)} {HEADER} headers instead of one")
    if len(values[0]) > HEADER_LENGTH_MAX:
        raise DeliveryRefusedError(f"the {HEADER} header is malformed")
    return values[0]


def _require_recent(timestamp: str, now: datetime, tolerance: timedelta) -> None:
    signed = datetime.fromtimestamp(min(int(timestamp), TIMESTAMP_MAX), UTC)
    if abs(now - signed) > tolerance:
        raise DeliveryRefusedError("signed too long ago, or in the future")
