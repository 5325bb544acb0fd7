"""Certificates over HTTPS from PayPal's own hosts, believed by the roots that certifi knows."""

import re
import ssl
import warnings
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import certifi
from aiohttp import (
    BaseConnector,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.signature.certificates import PayPalTrust
from services.billing_gateway.ports import CannotVerifyError

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
BYTES_MAX = 64 * 1024
TIMEOUT_SECONDS = 5.0


class CertificateDownloads:
    """Fetches what lies at an address that was allowed before; follows nothing, waits not long."""

    def __init__(self, connector: BaseConnector, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=timeout_seconds),
            # What is packed may unpack to more than is read.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )

    async def fetch(self, url: str) -> bytes:
        """Return what lies there; raise CannotVerifyError for any other end."""
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status != HTTPStatus.OK:
                    raise CannotVerifyError(f"the certificate's host answered {answer.status}")
                return await _read(answer)
        except (ClientError, TimeoutError, OSError) as error:
            raise CannotVerifyError(f"no certificate: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _read(answer: ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > BYTES_MAX:
            raise CannotVerifyError("the certificate's host served too much")
    return bytes(body)


def system_trust(environment: Environment, intermediates_file: Path | None) -> PayPalTrust:
    """Return what is trusted where money is real; nothing in the settings relaxes it."""
    roots_file = Path(certifi.where())
    context = ssl.create_default_context(cafile=roots_file)
    return PayPalTrust(
        source=CertificateDownloads(TCPConnector(ssl=context)),
        roots=_read_roots(roots_file),
        intermediates=(
            x509.load_pem_x509_certificates(intermediates_file.read_bytes())
            if intermediates_file
            else ()
        ),
        name=ADDRESSES[environment].certificate_name,
    )


def _read_roots(file: Path) -> list[x509.Certificate]:
    """Return the roots but for those with a malformed serial number: soon they will not be read."""
    roots = []
    for pem in CERTIFICATE.findall(file.read_bytes()):
        with warnings.catch_warnings(), suppress(CryptographyDeprecationWarning):
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            roots.append(x509.load_pem_x509_certificate(pem))
    return roots
