"""Certificates by file, for both ends of a connection; what is changed there counts soon."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from libs.logs import get_logger

# New connections may be many in a second, new certificates are a few in a year.
LOOK_INTERVAL_SECONDS = 1.0

# As Kubernetes and cert-manager name them.
CERTIFICATE_FILE: Final = "tls.crt"
KEY_FILE: Final = "tls.key"
AUTHORITIES_FILE: Final = "ca.crt"
# Whose certificates are believed no longer, a line each, like sender/web-1. It need not be there.
REFUSED_FILE: Final = "refused_callers"
REFUSED_LINE: Final = re.compile(r"[a-z_]+/[A-Za-z0-9._-]{1,128}")

Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


class CertificatesUnusableError(Exception):
    """The files are not there, or do not fit together."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a process proves itself with, whom it believes, and whom not in spite of that."""

    certificate: bytes
    key: bytes
    authorities: bytes
    refused: frozenset[str]
    expire_time: datetime

    def for_server(self) -> grpc.ServerCertificateConfiguration:
        """Return what a server shows, and by what it believes its callers."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], self.authorities
        )

    def for_client(self) -> grpc.ChannelCredentials:
        """Return what a client shows, and by what it believes servers."""
        return grpc.ssl_channel_credentials(self.authorities, self.key, self.certificate)


def read_certificates(directory: Path) -> Certificates:
    """Read what lies in a directory. Raises CertificatesUnusableError."""
    try:
        certificate, key, authorities = (
            (directory / name).read_bytes()
            for name in (CERTIFICATE_FILE, KEY_FILE, AUTHORITIES_FILE)
        )
        own = x509.load_pem_x509_certificate(certificate)
        x509.load_pem_x509_certificates(authorities)
        fits = load_pem_private_key(key, None).public_key() == own.public_key()
    except OSError as error:
        raise CertificatesUnusableError(f"{error.filename}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        # Not what it says: it may quote the key.
        raise CertificatesUnusableError("not PEM, or the key is encrypted") from error
    if not fits:
        raise CertificatesUnusableError(f"{KEY_FILE} is not the key of {CERTIFICATE_FILE}")
    return Certificates(
        certificate, key, authorities, _read_refused(directory), own.not_valid_after_utc
    )


def _read_refused(directory: Path) -> frozenset[str]:
    try:
        lines = (directory / REFUSED_FILE).read_text("ascii").split()
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise CertificatesUnusableError(f"{REFUSED_FILE} cannot be read") from error
    if not all(map(REFUSED_LINE.fullmatch, lines)):
        raise CertificatesUnusableError(f"{REFUSED_FILE}: expected lines like sender/web-1")
    return frozenset(lines)


class WatchedCertificates:
    """Certificates that are looked at again now and then; of no use, the last good ones stay."""

    def __init__(self, directory: Path) -> None:
        """Raises CertificatesUnusableError: without any, nothing begins."""
        self._directory = directory
        self._stamp = _stamp_of(directory)
        self.current = read_certificates(directory)
        self._looked_at = monotonic()

    def look(self) -> Certificates:
        """Return the certificates as they are now, or were a moment ago. Never raises."""
        if monotonic() - self._looked_at < LOOK_INTERVAL_SECONDS:
            return self.current
        self._looked_at = monotonic()
        stamp = _stamp_of(self._directory)
        if stamp == self._stamp:
            return self.current
        self._stamp = stamp
        try:
            self.current = read_certificates(self._directory)
        except CertificatesUnusableError as error:
            get_logger().error("certificates_unusable", error=str(error))
        else:
            get_logger().info(
                "certificates_renewed",
                expire_time=self.current.expire_time.isoformat(),
                refused=sorted(self.current.refused),
            )
        return self.current


def watch_certificates(directory: Path | None) -> WatchedCertificates | None:
    """Watch the certificates of a process, if it has any. Raises CertificatesUnusableError."""
    return WatchedCertificates(directory) if directory is not None else None


def _stamp_of(directory: Path) -> Stamp:
    """Return what changes when one of the files does."""
    names = (CERTIFICATE_FILE, KEY_FILE, AUTHORITIES_FILE, REFUSED_FILE)
    return tuple(_stamp_of_file(directory / name) for name in names)


def _stamp_of_file(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def server_credentials(watched: WatchedCertificates) -> grpc.ServerCredentials:
    """Return credentials that ask every caller for a certificate, and show the newest."""
    shown = watched.current

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        # Called for each new connection, in a thread of gRPC's.
        nonlocal shown
        newest = watched.look()
        if newest is shown:
            return None
        shown = newest
        return newest.for_server()

    return grpc.dynamic_ssl_server_credentials(
        shown.for_server(),
        fetch,  # type: ignore[arg-type] # None says that nothing has changed
        require_client_authentication=True,
    )
