"""The headers of a delivery, and the one form of an address that a certificate may have."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime

from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.times import parse_time
from services.billing_gateway.ports import DeliveryRefusedError, Headers

# PayPal signs by this and nothing else; its old library took weaker ones as well.
ALGORITHM = "SHA256withRSA"

TRANSMISSION_ID = re.compile(r"[A-Za-z0-9-]{1,50}")
CERTIFICATE_PATH = "/v1/notifications/certs/"
CERTIFICATE_FILE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,199}")
VALUE_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """What the headers of a delivery say, each of them well-formed."""

    transmission_id: str
    time_text: str
    time: datetime
    signature: bytes
    certificate_url: str


def read_headers(headers: Headers, environment: Environment) -> SignedHeaders:
    """Return what the headers say, or raise DeliveryRefusedError."""
    transmission_id = _only(headers, "PAYPAL-TRANSMISSION-ID")
    time_text = _only(headers, "PAYPAL-TRANSMISSION-TIME")
    time = parse_time(time_text)
    url = allowed_certificate_url(_only(headers, "PAYPAL-CERT-URL"), environment)
    if _only(headers, "PAYPAL-AUTH-ALGO") != ALGORITHM:
        raise DeliveryRefusedError(f"signed by another algorithm than {ALGORITHM}")
    if not TRANSMISSION_ID.fullmatch(transmission_id) or time is None:
        raise DeliveryRefusedError("the transmission's id or time is malformed")
    if url is None:
        raise DeliveryRefusedError(f"the certificate's address is not PayPal's in {environment}")
    signature = _decode(_only(headers, "PAYPAL-TRANSMISSION-SIG"))
    return SignedHeaders(transmission_id, time_text, time, signature, url)


def allowed_certificate_url(url: str, environment: Environment) -> str | None:
    """Return the address of a certificate, in one spelling; None for any other address.

    Whoever chooses the address chooses the key. So the text itself is compared: nothing is parsed
    that a second parser could understand in another way.
    """
    for host in ADDRESSES[environment].certificate_hosts:
        for start in (f"https://{host}", f"https://{host}:443"):
            file = url.removeprefix(start + CERTIFICATE_PATH)
            if file != url and CERTIFICATE_FILE.fullmatch(file):
                return f"https://{host}{CERTIFICATE_PATH}{file}"
    return None


def _only(headers: Headers, name: str) -> str:
    values = headers.getall(name, ())
    if len(values) != 1:
        raise DeliveryRefusedError(f"{len(values)} {name} headers instead of one")
    value = values[0]
    if len(value) > VALUE_LENGTH_MAX or not value.isascii() or not value.isprintable():
        raise DeliveryRefusedError(f"the {name} header is malformed")
    return value


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise DeliveryRefusedError("the signature is not base64") from error
