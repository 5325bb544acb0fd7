"""A certificate authority of one's own: `python -m dev.certificates DIRECTORY IDENTITY ...`.

Each IDENTITY is role/subject, as in operator/ann, or of a service role/subject=HOST,HOST with the
names that it is called by. Each has a directory, DIRECTORY/role/subject, with what it needs:
tls.crt, tls.key and ca.crt. What stands there and is good for a month yet is left as it is; to
renew it before, remove it. Whoever has DIRECTORY/authority can make more: keep it apart.
"""

import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.service_databases import SERVICES
from libs.rpc.callers import ROLES, TRUST_DOMAIN, UnknownCallerError, parse_caller, role_name
from libs.rpc.credentials import AUTHORITIES_FILE, CERTIFICATE_FILE, KEY_FILE, read_certificates
from libs.rpc.proof import CertificatesUnusableError, has_signed

AUTHORITY = "authority"
AUTHORITY_KEY_FILE = "ca.key"
AUTHORITY_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=365)
# What has less left than this is made anew.
LIFETIME_MIN = timedelta(days=30)
# Whoever's clock is a little behind believes it as well.
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose certificate, and under which hosts its owner is called, if it is."""

    role: str
    subject: str
    hosts: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        identity, _, hosts = text.partition("=")
        try:
            caller = parse_caller(identity)
        except UnknownCallerError:
            raise ArgumentTypeError(
                f"expected role/subject: a role of {', '.join(ROLES)};"
                " a subject of letters, digits, `.`, `_` and `-`"
            ) from None
        wanted = cls(role_name(caller.role), caller.subject, tuple(filter(None, hosts.split(","))))
        if wanted.role in SERVICES and not wanted.hosts:
            raise ArgumentTypeError(f"{wanted.role} is called by others: {identity}=HOST,HOST")
        return wanted


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate that signs others, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def main() -> None:
    parser = ArgumentParser(prog="python -m dev.certificates", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("identities", type=Wanted.parse, nargs="+", metavar="IDENTITY")
    arguments = parser.parse_args()
    make_certificates(arguments.directory, arguments.identities)


def make_certificates(directory: Path, identities: Sequence[Wanted]) -> None:
    """Makes what is missing, or soon of no use."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    signer = _keep_authority(directory / AUTHORITY, now)
    for each in identities:
        _keep_certificate(directory / each.role / each.subject, signer, each, now)


def _keep_authority(directory: Path, now: datetime) -> Signer:
    known = read_authority(directory)
    if known is not None and _has_time_left(known.certificate, now):
        return known
    signer = make_authority("Tollgate, of this machine", now)
    _write(directory / AUTHORITY_KEY_FILE, to_pem(signer.key))
    _write(directory / AUTHORITIES_FILE, to_pem(signer.certificate))
    return signer


def read_authority(directory: Path) -> Signer | None:
    """What `make_certificates` has kept there; None if it has not yet."""
    try:
        certificate = x509.load_pem_x509_certificate((directory / AUTHORITIES_FILE).read_bytes())
    except FileNotFoundError:
        return None
    key = load_pem_private_key((directory / AUTHORITY_KEY_FILE).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Signer(certificate, key)


def _keep_certificate(directory: Path, signer: Signer, wanted: Wanted, now: datetime) -> None:
    try:
        known = x509.load_pem_x509_certificate(read_certificates(directory).certificate)
    except CertificatesUnusableError:
        known = None
    if known is None or not _is_good(known, signer, wanted, now):
        write_identity(directory, signer, wanted, now)


def write_identity(directory: Path, signer: Signer, wanted: Wanted, now: datetime) -> None:
    """The key before its certificate: who finds a certificate finds its key."""
    key = new_key()
    _write(directory / AUTHORITIES_FILE, to_pem(signer.certificate))
    _write(directory / KEY_FILE, to_pem(key))
    _write(directory / CERTIFICATE_FILE, to_pem(sign(signer, key, wanted, now)))


def make_authority(name: str, now: datetime) -> Signer:
    """A certificate that may sign others and believes itself."""
    key, subject = new_key(), name_of(name)
    builder = begin_certificate(key, subject, subject, (now - CLOCK_SKEW, now + AUTHORITY_LIFETIME))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Signer(builder.sign(key, SHA256()), key)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sign(
    signer: Signer,
    key: ec.EllipticCurvePrivateKey,
    wanted: Wanted,
    now: datetime,
) -> x509.Certificate:
    """A certificate of an identity; only a service's lets it be called."""
    builder = begin_certificate(
        key,
        name_of(wanted.subject),
        signer.certificate.subject,
        (now - CLOCK_SKEW, now + LIFETIME),
    )
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_names_of(wanted)), critical=False)
        .add_extension(x509.ExtendedKeyUsage(_purposes_of(wanted)), critical=False)
        .sign(signer.key, SHA256())
    )


def begin_certificate(
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    issuer: x509.Name,
    lifetime: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    """What every certificate says, whoever's it is."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(lifetime[0])
        .not_valid_after(lifetime[1])
    )


def name_of(common_name: str) -> x509.Name:
    """A name of somebody of whom only that is known."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _names_of(wanted: Wanted) -> list[x509.GeneralName]:
    identity = x509.UniformResourceIdentifier(f"{TRUST_DOMAIN}{wanted.role}/{wanted.subject}")
    return [identity, *map(_host_name, wanted.hosts)]


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _purposes_of(wanted: Wanted) -> list[x509.ObjectIdentifier]:
    for_servers = [ExtendedKeyUsageOID.SERVER_AUTH] if wanted.hosts else []
    return [ExtendedKeyUsageOID.CLIENT_AUTH, *for_servers]


def _is_good(known: x509.Certificate, signer: Signer, wanted: Wanted, now: datetime) -> bool:
    names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_signed = has_signed(signer.certificate, known)
    return is_signed and list(names) == _names_of(wanted) and _has_time_left(known, now)


def _has_time_left(known: x509.Certificate, now: datetime) -> bool:
    return now + LIFETIME_MIN < known.not_valid_after_utc


def to_pem(each: x509.Certificate | ec.EllipticCurvePrivateKey) -> bytes:
    if isinstance(each, x509.Certificate):
        return each.public_bytes(Encoding.PEM)
    return each.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, content: bytes) -> None:
    """Replaces it at once, for its owner's eyes only."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.unfinished")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    unfinished.replace(file)


if __name__ == "__main__":
    main()
