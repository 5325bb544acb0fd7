"""Lets the gateway believe the simulator: its certificates, from where it runs, by its root."""

from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout
from cryptography import x509

from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.signature.certificates import PayPalTrust
from services.billing_gateway.ports import CannotVerifyError


class SimulatorCertificates:
    """Fetches from the simulator what lies at an address of PayPal's, which was allowed before."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = ClientSession(timeout=ClientTimeout(total=5))

    async def fetch(self, url: str) -> bytes:
        try:
            async with self._session.get(self._base_url + urlsplit(url).path) as answer:
                answer.raise_for_status()
                return await answer.read()
        except (ClientError, TimeoutError) as error:
            raise CannotVerifyError(f"no certificate: {type(error).__name__}") from error

    async def close(self) -> None:
        await self._session.close()


def simulator_trust(base_url: str, root_certificate_pem: bytes) -> PayPalTrust:
    """What is believed instead of PayPal's own; the rules of the gateway stay as they are."""
    return PayPalTrust(
        source=SimulatorCertificates(base_url),
        roots=[x509.load_pem_x509_certificate(root_certificate_pem)],
        intermediates=(),
        name=ADDRESSES[Environment.SANDBOX].certificate_name,
    )
