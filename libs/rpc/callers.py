"""Who calls: the role and the subject that the certificate of the connection proves."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tollgate.options.v1 import access_pb2

ROLE_PREFIX: Final = "ROLE_"
TRUST_DOMAIN: Final = "spiffe://tollgate/"
NAME: Final = re.compile(r"([a-z_]+)/([A-Za-z0-9._-]{1,128})")
EXPECTED: Final = f"expected one, {TRUST_DOMAIN}<role>/<subject>"
ROLES: Final[Mapping[str, access_pb2.Role.ValueType]] = {
    name.removeprefix(ROLE_PREFIX).lower(): role
    for name, role in access_pb2.Role.items()
    if role != access_pb2.ROLE_UNSPECIFIED
}


class UnknownCallerError(Exception):
    """A certificate that our authority signed and that names nobody whom Tollgate knows."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds the key of a certificate."""

    role: access_pb2.Role.ValueType
    subject: str

    def __str__(self) -> str:
        return f"{role_name(self.role)}/{self.subject}"


def role_name(role: access_pb2.Role.ValueType) -> str:
    """Return a role as certificates name it."""
    return access_pb2.Role.Name(role).removeprefix(ROLE_PREFIX).lower()


def read_uris(uris: Sequence[str]) -> Caller:
    """Return whom the URIs of a certificate name. Raises UnknownCallerError."""
    if len(uris) != 1:
        raise UnknownCallerError(f"it names {len(uris)} URIs, {EXPECTED}")
    if not uris[0].startswith(TRUST_DOMAIN):
        raise UnknownCallerError(f"its URI is another, {EXPECTED}")
    return parse_caller(uris[0].removeprefix(TRUST_DOMAIN))


def parse_caller(name: str) -> Caller:
    """Return who is named role/subject. Raises UnknownCallerError."""
    found = NAME.fullmatch(name)
    if found is None:
        raise UnknownCallerError(f"its URI is another, {EXPECTED}")
    role = ROLES.get(found[1])
    if role is None:
        raise UnknownCallerError(f"its URI names a role that does not exist, {EXPECTED}")
    return Caller(role, found[2])
