"""A chain of certificates as strict as PayPal's: root, intermediate, and the leaf that signs."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = timedelta(days=3650)
SIGN_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True)
class SigningChain:
    """What PayPal signs webhooks with, and what it serves for those who verify."""

    root: Identity
    intermediate: Identity
    leaf: Identity

    @property
    def served_pem(self) -> bytes:
        return self.leaf.certificate_pem + self.intermediate.certificate_pem

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self.leaf.key.sign(message, PKCS1v15(), SHA256())).decode()


def make_chain(name: str, now: datetime) -> SigningChain:
    """A chain for a name, good for years before and after now."""
    root = make_authority("Simulated Root", now)
    intermediate = make_authority("Simulated Intermediate", now, root)
    return SigningChain(root, intermediate, make_leaf(intermediate, name, now - YEARS, now + YEARS))


def make_authority(name: str, now: datetime, issuer: Identity | None = None) -> Identity:
    """A certificate that may sign others; its own issuer if none is given."""
    key = _make_key()
    builder = _builder(name, key, issuer, now - YEARS, now + YEARS)
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    builder = builder.add_extension(constraints, critical=True)
    builder = builder.add_extension(SIGN_CERTIFICATES, critical=True)
    return _sign(builder, key, issuer)


def make_leaf(
    issuer: Identity, name: str, start: datetime, end: datetime, *, for_servers: bool = True
) -> Identity:
    """A certificate of a server's name; for_servers: and of a server's purpose."""
    key = _make_key()
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if for_servers else ExtendedKeyUsageOID.CODE_SIGNING
    builder = _builder(name, key, issuer, start, end)
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return _sign(builder, key, issuer)


def read_chain(folder: Path) -> SigningChain | None:
    """The chain that was kept in a folder, if one was."""
    names = ("root", "intermediate", "leaf")
    if not all((folder / f"{name}.key").exists() for name in names):
        return None
    return SigningChain(*(_read(folder, name) for name in names))


def keep_chain(folder: Path, chain: SigningChain) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("root", "intermediate", "leaf"):
        identity: Identity = getattr(chain, name)
        (folder / f"{name}.pem").write_bytes(identity.certificate_pem)
        (folder / f"{name}.key").write_bytes(identity.key_pem)


def _read(folder: Path, name: str) -> Identity:
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Identity(x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()), key)


def _make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _builder(
    name: str, key: rsa.RSAPrivateKey, issuer: Identity | None, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_key = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def _sign(
    builder: x509.CertificateBuilder, key: rsa.RSAPrivateKey, issuer: Identity | None
) -> Identity:
    return Identity(builder.sign(issuer.key if issuer else key, SHA256()), key)
