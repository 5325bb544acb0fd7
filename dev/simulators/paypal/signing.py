"""How the simulator signs webhooks, and how it tells whether it did."""

import base64
import uuid
import zlib
from collections.abc import Mapping
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from dev.simulators.paypal.certificates import SigningChain
from dev.simulators.paypal.objects import API, text_of

ALGORITHM = "SHA256withRSA"


class Signer:
    """Signs for one webhook."""

    def __init__(self, chain: SigningChain, webhook_id: str) -> None:
        self._chain = chain
        self._webhook_id = webhook_id
        self.certificate_name = f"CERT-{chain.leaf.certificate.serial_number:x}"

    def headers(self, body: bytes, now: datetime) -> Mapping[str, str]:
        """The headers of a delivery; each try has an id and a time of its own."""
        transmission_id, time = str(uuid.uuid1()), text_of(now)
        message = _message(transmission_id, time, self._webhook_id, body)
        return {
            "PAYPAL-TRANSMISSION-ID": transmission_id,
            "PAYPAL-TRANSMISSION-TIME": time,
            "PAYPAL-TRANSMISSION-SIG": self._chain.sign(message),
            "PAYPAL-CERT-URL": f"{API}/v1/notifications/certs/{self.certificate_name}",
            "PAYPAL-AUTH-ALGO": ALGORITHM,
            "PAYPAL-AUTH-VERSION": "v2",
        }

    def is_signed(self, asked: Mapping[str, object], body: bytes) -> bool:
        """Tells what a caller of verify-webhook-signature asks."""
        id_and_time = str(asked.get("transmission_id")), str(asked.get("transmission_time"))
        try:
            message = _message(*id_and_time, str(asked.get("webhook_id")), body)
            signature = base64.b64decode(str(asked.get("transmission_sig")), validate=True)
            key = self._chain.leaf.key.public_key()
            key.verify(signature, message, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return asked.get("auth_algo") == ALGORITHM and asked.get("webhook_id") == self._webhook_id


def _message(transmission_id: str, time: str, webhook_id: str, body: bytes) -> bytes:
    return f"{transmission_id}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()
