"""Certificates by file, for both ends of a connection; what is changed there counts soon."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias, TypeVar

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from libs.logs import get_logger
from libs.rpc.proof import CertificatesUnusableError, require_proof
from libs.rpc.refused import REFUSED_FILE, RefusedCallers, read_refused

ParsedT = TypeVar("ParsedT")

# New connections may be many in a second, new certificates are a few in a year.
LOOK_INTERVAL_SECONDS = 1.0

# As Kubernetes and cert-manager name them.
CERTIFICATE_FILE: Final = "tls.crt"
KEY_FILE: Final = "tls.key"
AUTHORITIES_FILE: Final = "ca.crt"
FILES: Final = (CERTIFICATE_FILE, KEY_FILE, AUTHORITIES_FILE, REFUSED_FILE)
Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a process proves itself with, whom it believes, and whom not in spite of that."""

    certificate: bytes
    key: bytes
    authorities: bytes
    refused: RefusedCallers
    expire_time: datetime

    def for_server(self) -> grpc.ServerCertificateConfiguration:
        """Return what a server shows, and by what it believes its callers."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], self.authorities
        )

    def for_client(self) -> grpc.ChannelCredentials:
        """Return what a client shows, and by what it believes servers."""
        return grpc.ssl_channel_credentials(self.authorities, self.key, self.certificate)


def read_certificates(directory: Path, service: str | None = None) -> Certificates:
    """Read what lies in a directory: of a service that is called, or of whoever else calls.

    Raises CertificatesUnusableError.
    """
    try:
        certificate, key, authorities = (
            (directory / name).read_bytes()
            for name in (CERTIFICATE_FILE, KEY_FILE, AUTHORITIES_FILE)
        )
        refused = read_refused(directory)
    except OSError as error:
        raise CertificatesUnusableError(f"{error.filename}: {error.strerror}") from error
    chain = _parse(CERTIFICATE_FILE, x509.load_pem_x509_certificates, certificate)
    believed = _parse(AUTHORITIES_FILE, x509.load_pem_x509_certificates, authorities)
    private = _parse(KEY_FILE, partial(load_pem_private_key, password=None), key)
    if private.public_key() != chain[0].public_key():
        raise CertificatesUnusableError(f"{KEY_FILE} is not the key of {CERTIFICATE_FILE}")
    require_proof(chain, believed, service)
    return Certificates(certificate, key, authorities, refused, chain[0].not_valid_after_utc)


def _parse(file: str, parse: Callable[[bytes], ParsedT], content: bytes) -> ParsedT:
    try:
        return parse(content)
    except (ValueError, TypeError) as error:
        # Not what it says: it may quote the key.
        raise CertificatesUnusableError(f"{file} is not PEM, or encrypted") from error


class WatchedCertificates:
    """Certificates that are looked at again now and then; of no use, the last good ones stay."""

    def __init__(self, directory: Path, service: str | None = None) -> None:
        """Raises CertificatesUnusableError: without any, nothing begins."""
        self._directory = directory
        self._service = service
        self._stamp = _stamp_of(directory)
        self.current = read_certificates(directory, service)
        self._looked_at = monotonic()
        self._tell_lines_that_refuse_nobody()

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
            self.current = read_certificates(self._directory, self._service)
        except CertificatesUnusableError as error:
            get_logger().error("certificates_unusable", error=str(error))
            self._take_refused_all_the_same()
        else:
            get_logger().info(
                "certificates_renewed",
                expire_time=self.current.expire_time.isoformat(),
                refused=sorted(self.current.refused.names),
            )
        self._tell_lines_that_refuse_nobody()
        return self.current

    def _take_refused_all_the_same(self) -> None:
        """Who is refused has nothing to do with what is wrong with the certificates."""
        with suppress(OSError):
            self.current = replace(self.current, refused=read_refused(self._directory))

    def _tell_lines_that_refuse_nobody(self) -> None:
        if lines := self.current.refused.strange_lines:
            get_logger().error("refused_callers_not_understood", file=REFUSED_FILE, lines=lines)


def watch_certificates(directory: Path | None, service: str) -> WatchedCertificates | None:
    """Watch the certificates of a service, if it has any. Raises CertificatesUnusableError."""
    return WatchedCertificates(directory, service) if directory is not None else None


def _stamp_of(directory: Path) -> Stamp:
    """Return what changes when one of the files does."""
    return tuple(_stamp_of_file(directory / name) for name in FILES)


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
