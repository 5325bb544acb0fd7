"""Whether a certificate proves anything, before anybody is kept out by it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from libs.rpc.callers import UnknownCallerError, read_uris, role_name


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
    if len(chain) == 1 and not any(_has_signed(each, own) for each in believed):
        raise CertificatesUnusableError("no authority in ca.crt has signed tls.crt")
    if service is not None:
        _require_service(own, service)


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


def _has_signed(authority: x509.Certificate, own: x509.Certificate) -> bool:
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
