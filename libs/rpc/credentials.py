"""Certificates by file, for both ends of a connection; what is changed there counts soon."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from libs.logs import get_logger

# New connections may be many in a second, new certificates are a few in a year.
LOOK_INTERVAL_SECONDS = 1.0

Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class CertificatesUnusableError(Exception):
    """The files are not there, or do not fit together."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """What a process proves itself with, and whom it believes; all in PEM."""

    certificate: Path
    key: Path
    authorities: Path

    @property
    def stamp(self) -> Stamp:
        """Return what changes when a file does. Raises OSError."""
        stats = [each.stat() for each in (self.certificate, self.key, self.authorities)]
        return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in stats)


@dataclass(frozen=True, slots=True)
class Certificates:
    """The content of the files."""

    certificate: bytes
    key: bytes
    authorities: bytes
    expire_time: datetime

    def for_server(self) -> grpc.ServerCertificateConfiguration:
        """Return what a server shows, and by what it believes its callers."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], self.authorities
        )

    def for_client(self) -> grpc.ChannelCredentials:
        """Return what a client shows, and by what it believes servers."""
        return grpc.ssl_channel_credentials(self.authorities, self.key, self.certificate)


def read_certificates(files: CertificateFiles) -> Certificates:
    """Read the files. Raises CertificatesUnusableError."""
    try:
        certificate, key, authorities = (
            each.read_bytes() for each in (files.certificate, files.key, files.authorities)
        )
        own = x509.load_pem_x509_certificate(certificate)
        x509.load_pem_x509_certificates(authorities)
        fits = load_pem_private_key(key, None).public_key() == own.public_key()
    except OSError as error:
        raise CertificatesUnusableError(f"{error.filename}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        # Not what it says: it may quote the key.
        raise CertificatesUnusableError("the files are not PEM, or the key is encrypted") from error
    if not fits:
        raise CertificatesUnusableError("the key is not the certificate's")
    return Certificates(certificate, key, authorities, own.not_valid_after_utc)


class WatchedCertificates:
    """Certificates that are looked at again now and then; of no use, the last good ones stay."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises CertificatesUnusableError: without any, nothing begins."""
        self._files = files
        self._stamp = _stamp_of(files)
        self.current = read_certificates(files)
        self._looked_at = monotonic()

    def look(self) -> Certificates:
        """Return the certificates as they are now, or were a moment ago. Never raises."""
        if monotonic() - self._looked_at < LOOK_INTERVAL_SECONDS:
            return self.current
        self._looked_at = monotonic()
        stamp = _stamp_of(self._files)
        if stamp == self._stamp:
            return self.current
        self._stamp = stamp
        try:
            self.current = read_certificates(self._files)
        except CertificatesUnusableError as error:
            get_logger().error("certificates_unusable", error=str(error))
        else:
            get_logger().info("certificates_renewed", expire_time=self.current.expire_time)
        return self.current


def watch_certificates(files: CertificateFiles | None) -> WatchedCertificates | None:
    """Watch the files of a process, if it has any. Raises CertificatesUnusableError."""
    return WatchedCertificates(files) if files is not None else None


def _stamp_of(files: CertificateFiles) -> Stamp | None:
    try:
        return files.stamp
    except OSError:
        return None


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
