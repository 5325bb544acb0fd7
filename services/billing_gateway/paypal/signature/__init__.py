"""PayPal's signature over the raw bytes of a delivery, verified without asking PayPal.

Source: developer.paypal.com/api/rest/webhooks/rest. The webhook's id is part of what is signed and
comes from the settings only: an event that was signed for somebody else's webhook is not ours.
"""

import hashlib
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from libs.logs import get_logger
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.signature.certificates import (
    CertificateMemory,
    Certificates,
    PayPalTrust,
)
from services.billing_gateway.paypal.signature.headers import SignedHeaders, read_headers
from services.billing_gateway.ports import (
    DeliveryRefusedError,
    Headers,
    SignatureMismatchError,
    Transmission,
)

# PayPal tries for three days. A checksum of 32 bits can be met by another body, so that whoever has
# seen a transmission, such as in a log, could use its signature for what was never sent: for this
# long it must be known which body a transmission stands for.
AGE_MAX = timedelta(days=4)
USUAL_AGE = timedelta(minutes=10)


class Signatures:
    """Tells whether PayPal signed a delivery for one of our webhooks."""

    def __init__(
        self,
        environment: Environment,
        webhook_ids: Sequence[str],
        trust: PayPalTrust,
        memory: CertificateMemory,
    ) -> None:
        self._environment = environment
        self._webhook_ids = webhook_ids
        self._certificates = Certificates(trust, memory)

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> Transmission:
        """Return what it signed; raise DeliveryRefusedError or CannotVerifyError."""
        signed = read_headers(headers, self._environment)
        key = await self._certificates.public_key(signed.certificate_url, now)
        if not any(_is_signed(signed, body, key, each) for each in self._webhook_ids):
            raise SignatureMismatchError("PayPal did not sign this for a webhook of ours")
        age = abs(now - signed.time)
        if age > AGE_MAX:
            raise DeliveryRefusedError("PayPal signed this too long ago, or in the future")
        if age > USUAL_AGE:
            get_logger().info(
                "paypal_transmission_is_old",
                transmission_id=signed.transmission_id,
                transmission_time=signed.time_text,
            )
        self._certificates.remember(signed.certificate_url)
        digest = hashlib.sha256(body).digest()
        return Transmission(signed.transmission_id, digest, signed.time + AGE_MAX)

    async def close(self) -> None:
        """Close every connection."""
        await self._certificates.close()


def signed_message(transmission_id: str, time_text: str, webhook_id: str, body: bytes) -> bytes:
    """Return what PayPal signs: the body as an unsigned CRC-32 of its bytes, in decimal digits."""
    return f"{transmission_id}|{time_text}|{webhook_id}|{zlib.crc32(body)}".encode()


def _is_signed(signed: SignedHeaders, body: bytes, key: RSAPublicKey, webhook_id: str) -> bool:
    message = signed_message(signed.transmission_id, signed.time_text, webhook_id, body)
    try:
        key.verify(signed.signature, message, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
