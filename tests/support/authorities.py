"""Authorities that vouch for a database's server, and for who asks it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from dev.certificates import Wanted, make_authority, new_key, sign, to_pem

KEY_PASSWORD = "password-of-a-key"


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate and its key, which is encrypted, each in a file."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates, and keeps all in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signer = make_authority("Authority of a test", datetime.now(UTC))
        self.file = folder / "authority.pem"
        self.file.write_bytes(to_pem(self._signer.certificate))

    def vouch_for(self, host: str, age: timedelta = timedelta()) -> CertificateFiles:
        """Make a certificate for a host, so long ago."""
        key, wanted = new_key(), Wanted("database", "database", (host,))
        certificate = sign(self._signer, key, wanted, datetime.now(UTC) - age)
        path = self._folder / f"{certificate.serial_number:x}"
        files = CertificateFiles(path.with_suffix(".pem"), path.with_suffix(".key"))
        files.certificate.write_bytes(to_pem(certificate))
        encryption = BestAvailableEncryption(KEY_PASSWORD.encode())
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        return files
