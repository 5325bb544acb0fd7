"""Deliveries that are signed as PayPal signs them, and a source that serves any certificate."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from multidict import CIMultiDict

from dev.simulators.paypal.certificates import SigningChain
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.signature import signed_message
from services.billing_gateway.paypal.signature.certificates import PayPalTrust

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SANDBOX = ADDRESSES[Environment.SANDBOX]
WEBHOOK_ID = "1JE4291016473214C"
URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"


@dataclass
class FakeSource:
    """Serves what it was given and counts; an exception is raised."""

    served: Mapping[str, bytes | Exception]
    urls: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> bytes:
        self.urls.append(url)
        # As on the network, others get their turn meanwhile.
        await asyncio.sleep(0)
        found = self.served[url]
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        self.served = {}


class Memory(dict[str, bytes]):
    """What was remembered, by address."""

    def recall(self, url: str) -> bytes | None:
        return self.get(url)

    def remember(self, url: str, pem: bytes) -> None:
        self[url] = pem


def trust_of(chain: SigningChain, source: FakeSource) -> PayPalTrust:
    return PayPalTrust(source, [chain.root.certificate], (), SANDBOX.certificate_name)


def signed_headers(
    chain: SigningChain, body: bytes, webhook_id: str = WEBHOOK_ID, url: str = URL
) -> CIMultiDict[str]:
    transmission_id, time = "071f7d20-1584-11e7-abf0-6b62a8a99ac4", "2026-11-22T11:59:58Z"
    message = signed_message(transmission_id, time, webhook_id, body)
    return CIMultiDict(
        {
            "PAYPAL-TRANSMISSION-ID": transmission_id,
            "PAYPAL-TRANSMISSION-TIME": time,
            "PAYPAL-TRANSMISSION-SIG": chain.sign(message),
            "PAYPAL-CERT-URL": url,
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }
    )
