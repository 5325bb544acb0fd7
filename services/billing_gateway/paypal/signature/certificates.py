"""The keys that PayPal signs with: fetched, held against the roots, and kept."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from services.billing_gateway.ports import CannotVerifyError, DeliveryRefusedError

KEPT_MAX = 64
FAILURE_KEPT = timedelta(seconds=30)
FETCHES_AT_ONCE = 4
# Anybody can name addresses that are well-formed; nobody makes us call PayPal more often than this.
FETCHES_MAX = 30
FETCHES_PERIOD = timedelta(minutes=1)

ValueT = TypeVar("ValueT")


class CertificateSource(Protocol):
    """Where certificates come from."""

    async def fetch(self, url: str) -> bytes:
        """Return what lies at an address; raise CannotVerifyError if that cannot be told."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class CertificateMemory(Protocol):
    """What outlives a restart. It is not believed: what it recalls is verified as if fetched."""

    def recall(self, url: str) -> bytes | None:
        """Return what lay at an address, if it is known."""
        ...

    def remember(self, url: str, pem: bytes) -> None:
        """Remember what lies at an address."""
        ...


@dataclass(frozen=True)
class PayPalTrust:
    """Whom we believe that a certificate is PayPal's."""

    source: CertificateSource
    roots: Sequence[x509.Certificate]
    # Beside those that come with the certificate.
    intermediates: Sequence[x509.Certificate]
    name: str


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key whose chain held, and until when that is so."""

    key: RSAPublicKey
    until: datetime
    pem: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there was no key, and when; for a moment nobody asks again."""

    error_type: type[DeliveryRefusedError] | type[CannotVerifyError]
    message: str
    time: datetime


class Certificates:
    """Keys by the address of their certificate; each address is fetched by one at a time."""

    def __init__(self, trust: PayPalTrust, memory: CertificateMemory) -> None:
        self._trust = trust
        self._memory = memory
        self._keys: dict[str, TrustedKey] = {}
        self._failures: dict[str, Failure] = {}
        self._locks = WeakValueDictionary[str, asyncio.Lock]()
        self._slots = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._fetch_times = deque[datetime](maxlen=FETCHES_MAX)

    async def public_key(self, url: str, now: datetime) -> RSAPublicKey:
        """Return the key of the certificate at an allowed address.

        Raises DeliveryRefusedError if it is not PayPal's, CannotVerifyError if that cannot be told.
        """
        known = self._recall(url, now)
        if known is not None:
            return known
        lock = self._locks.setdefault(url, asyncio.Lock())
        async with lock:
            return self._recall(url, now) or await self._learn(url, now)

    def remember(self, url: str) -> None:
        """Let a certificate outlive a restart, now that its key has signed what is ours.

        PayPal has served others that hold: whoever names them all must not push this one out.
        """
        known = self._keys.get(url)
        if known is not None:
            self._memory.remember(url, known.pem)

    async def close(self) -> None:
        """Close every connection."""
        await self._trust.source.close()

    def _recall(self, url: str, now: datetime) -> RSAPublicKey | None:
        known = self._keys.get(url)
        if known is not None and now < known.until:
            return known.key
        failure = self._failures.get(url)
        if failure is not None and abs(now - failure.time) < FAILURE_KEPT:
            raise failure.error_type(failure.message)
        return None

    async def _learn(self, url: str, now: datetime) -> RSAPublicKey:
        trusted = self._remembered(url, now) or await self._fetch(url, now)
        _keep(self._keys, url, trusted)
        return trusted.key

    def _remembered(self, url: str, now: datetime) -> TrustedKey | None:
        pem = self._memory.recall(url)
        try:
            return None if pem is None else trust_chain(pem, self._trust, now)
        except (DeliveryRefusedError, CannotVerifyError):
            return None

    async def _fetch(self, url: str, now: datetime) -> TrustedKey:
        self._spend_fetch(now)
        try:
            async with self._slots:
                served = await self._trust.source.fetch(url)
            return trust_chain(served, self._trust, now)
        except (DeliveryRefusedError, CannotVerifyError) as error:
            _keep(self._failures, url, Failure(type(error), str(error), now))
            raise

    def _spend_fetch(self, now: datetime) -> None:
        times = self._fetch_times
        # A clock that is set back must not make a moment last for as long as that.
        if len(times) == FETCHES_MAX and abs(now - times[0]) < FETCHES_PERIOD:
            raise CannotVerifyError("too many certificates are asked for")
        times.append(now)


def _keep(kept: dict[str, ValueT], url: str, value: ValueT) -> None:
    kept.pop(url, None)
    kept[url] = value
    if len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, or raise CannotVerifyError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CannotVerifyError("the certificate's address served no certificate") from error


def trust_chain(pem: bytes, trust: PayPalTrust, now: datetime) -> TrustedKey:
    """Return the first certificate's key if the chain from it holds, or raise."""
    leaf, *intermediates = read_certificates(pem)
    verifier = (
        PolicyBuilder()
        .store(Store(list(trust.roots)))
        .time(now)
        .build_server_verifier(x509.DNSName(trust.name))
    )
    try:
        chain = verifier.verify(leaf, [*intermediates, *trust.intermediates])
        key = leaf.public_key()
    except (VerificationError, ValueError, TypeError) as error:
        raise DeliveryRefusedError("the signing certificate is not PayPal's") from error
    if not isinstance(key, RSAPublicKey):
        raise DeliveryRefusedError("the signing certificate has no RSA key")
    return TrustedKey(key, min(each.not_valid_after_utc for each in chain), pem)
