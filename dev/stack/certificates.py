"""Who is who on this machine: an authority of its own, and a certificate for everybody."""

from collections.abc import Iterable
from pathlib import Path

from dev.certificates import Wanted, make_certificates

# Whoever sits at this machine, in each of the roles that somebody there may have.
PERSON = "dev"
PEOPLE = ("sender", "platform", "operator_reader", "operator")
HOSTS = ("localhost", "127.0.0.1", "::1")


def make_all_certificates(directory: Path, services: Iterable[str]) -> None:
    """Makes what is missing, or soon of no use."""
    called = [Wanted(service, service, HOSTS) for service in services]
    make_certificates(directory, [*called, *(Wanted(role, PERSON) for role in PEOPLE)])


def directory_of(role: str, directory: Path) -> Path:
    """Where the certificate lies of the one who has a role here."""
    return directory / role / subject_of(role)


def subject_of(role: str) -> str:
    """By what name somebody has a role here."""
    return PERSON if role in PEOPLE else role
