"""Who is who on this machine: an authority of its own, and a certificate for everybody."""

from collections.abc import Iterable
from pathlib import Path

from dev.certificates import Wanted, make_certificates

# Whoever sits at this machine, in each of the roles that somebody there may have.
PERSON = "dev"
PEOPLE = ("sender", "platform", "operator_reader", "operator")
# Who has another role than its name: it only looks.
ROLES_OF_SERVICES = {"operator_console": "operator_reader"}
HOSTS = ("localhost", "127.0.0.1", "::1")


def make_all_certificates(directory: Path, services: Iterable[str]) -> None:
    """Makes what is missing, or soon of no use."""
    called = [Wanted(role_of(service), service, HOSTS) for service in services]
    make_certificates(directory, [*called, *(Wanted(role, PERSON) for role in PEOPLE)])


def directory_of(owner: str, directory: Path) -> Path:
    """Where the certificate lies of a service, or of the person who has a role here."""
    return directory / role_of(owner) / subject_of(owner)


def role_of(owner: str) -> str:
    """As whom a service, or the person in a role, is let in."""
    return ROLES_OF_SERVICES.get(owner, owner)


def subject_of(owner: str) -> str:
    """By what name."""
    return PERSON if owner in PEOPLE else owner
