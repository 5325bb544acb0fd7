"""Certificates as nobody should have them, beside good ones of the same authority."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dev.certificates import AUTHORITY, AUTHORITY_KEY_FILE, Signer, new_key, to_pem
from libs.rpc.credentials import AUTHORITIES_FILE, Certificates
from libs.rpc.refused import RefusedCallers

DAY = timedelta(days=1)


def read_signer(certificates_directory: Path) -> Signer:
    """Return the authority whose certificates lie there."""
    directory = certificates_directory / AUTHORITY
    key = load_pem_private_key((directory / AUTHORITY_KEY_FILE).read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate((directory / AUTHORITIES_FILE).read_bytes())
    return Signer(certificate, key)


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
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    if uris:
        names = x509.SubjectAlternativeName(map(x509.UniformResourceIdentifier, uris))
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(signer.key, SHA256())
    believed = believes or to_pem(signer.certificate)
    return Certificates(to_pem(certificate), to_pem(key), believed, RefusedCallers(), now + ends)
