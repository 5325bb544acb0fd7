"""Certificates as nobody should have them, beside good ones of the same authority."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from dev.certificates import (
    AUTHORITY,
    Signer,
    begin_certificate,
    name_of,
    new_key,
    read_authority,
    to_pem,
)
from libs.rpc.credentials import Certificates
from libs.rpc.refused import RefusedCallers

DAY = timedelta(days=1)


def read_signer(certificates_directory: Path) -> Signer:
    """Return the authority whose certificates lie there."""
    signer = read_authority(certificates_directory / AUTHORITY)
    assert signer is not None
    return signer


def certificates_with(
    signer: Signer,
    uris: Sequence[str] = ("spiffe://tollgate/operator/ann",),
    *,
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
    believes: bytes | None = None,
) -> Certificates:
    """Return a certificate that names these, good from then until then as seen from now."""
    now, key = datetime.now(UTC), new_key()
    lifetime = now + begins, now + ends
    builder = begin_certificate(key, name_of("somebody"), signer.certificate.subject, lifetime)
    if uris:
        names = x509.SubjectAlternativeName(map(x509.UniformResourceIdentifier, uris))
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(signer.key, SHA256())
    believed = believes or to_pem(signer.certificate)
    return Certificates(to_pem(certificate), to_pem(key), believed, RefusedCallers(), now + ends)
