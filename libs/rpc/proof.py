"""What a certificate proves: our own before it is shown, a caller's with each call."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from libs.rpc.callers import Caller, UnknownCallerError, read_uris, role_name

# What gRPC calls the certificate that it has verified.
PEER_CERTIFICATE: Final = "x509_pem_cert"
# gRPC believes some that are not read here.
UNREADABLE: Final = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


class CertificatesUnusableError(Exception):
    """The files are not there, or prove nothing."""


def require_proof(
    chain: Sequence[x509.Certificate], believed: Sequence[x509.Certificate], service: str | None
) -> None:
    """Refuse what nobody would believe now. Raises CertificatesUnusableError."""
    own, now = chain[0], datetime.now(UTC)
    if now > own.not_valid_after_utc:
        raise CertificatesUnusableError(
            f"tls.crt has expired, {own.not_valid_after_utc.isoformat()}"
        )
    if now < own.not_valid_before_utc:
        begin = own.not_valid_before_utc.isoformat()
        raise CertificatesUnusableError(f"tls.crt is not valid yet, but from {begin}")
    # With others between, only who connects can tell.
    if len(chain) == 1 and not any(has_signed(each, own) for each in believed):
        raise CertificatesUnusableError("no authority in ca.crt has signed tls.crt")
    if service is not None:
        _require_service(own, service)


@dataclass(frozen=True, slots=True)
class ProvenCaller:
    """Who a certificate says its owner is, and until when, in seconds since 1970."""

    caller: Caller
    expire_time: float


def read_caller(proven: Mapping[str, Sequence[bytes]]) -> Caller:
    """Return who is proven now by what gRPC has verified of the connection.

    It was verified when the first of its sessions began: a certificate that has expired since goes
    on in a connection that stands, and in sessions that are resumed. Raises UnknownCallerError.
    """
    [certificate] = proven[PEER_CERTIFICATE]
    found = _read_certificate(certificate)
    if time() > found.expire_time:
        raise UnknownCallerError("it has expired")
    return found.caller


@lru_cache(maxsize=1024)
def _read_certificate(content: bytes) -> ProvenCaller:
    # Not the URIs that gRPC tells: of one with a NUL in it, it tells what stands before.
    try:
        certificate = x509.load_pem_x509_certificate(content)
        uris = _names_of(certificate).get_values_for_type(x509.UniformResourceIdentifier)
    except UNREADABLE as error:
        raise UnknownCallerError("it cannot be read") from error
    return ProvenCaller(read_uris(uris), certificate.not_valid_after_utc.timestamp())


def _require_service(own: x509.Certificate, service: str) -> None:
    names = _names_of(own)
    try:
        role = role_name(read_uris(names.get_values_for_type(x509.UniformResourceIdentifier)).role)
    except UnknownCallerError as error:
        raise CertificatesUnusableError(f"tls.crt: {error}") from error
    if role != service:
        raise CertificatesUnusableError(f"tls.crt is of the role {role}, not {service}")
    if not names.get_values_for_type(x509.DNSName) + names.get_values_for_type(x509.IPAddress):
        raise CertificatesUnusableError("tls.crt names no host by which the service is called")
    purposes = _purposes_of(own)
    needed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    if purposes is not None and not needed <= purposes:
        raise CertificatesUnusableError(
            "tls.crt is not for servers and clients, and a service is both"
        )


def has_signed(authority: x509.Certificate, own: x509.Certificate) -> bool:
    """Tell whether an authority, by its name and its key, has signed a certificate itself."""
    with suppress(ValueError, TypeError, InvalidSignature):
        own.verify_directly_issued_by(authority)
        return True
    return False


def _names_of(own: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def _purposes_of(own: x509.Certificate) -> set[x509.ObjectIdentifier] | None:
    try:
        return set(own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None
