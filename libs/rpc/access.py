"""Who may call what: the roles that stand beside each method in the protos."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from google.protobuf.descriptor_pool import Default

from libs.errors import DomainError, ErrorReason
from libs.rpc.callers import Caller, UnknownCallerError, read_caller, role_name
from libs.rpc.credentials import WatchedCertificates
from libs.rpc.rates import CallRates
from libs.rpc.reflection import REFLECTION_METHODS
from libs.rpc.refused import REFUSED_FILE
from tollgate.options.v1 import access_pb2

Roles = frozenset[access_pb2.Role.ValueType]

# Whoever reads what a server can do is about to try it.
OF_REFLECTION: Final[Roles] = frozenset({access_pb2.ROLE_OPERATOR_READER, access_pb2.ROLE_OPERATOR})
EVERYBODY: Final[Roles] = frozenset(access_pb2.Role.values()) - {access_pb2.ROLE_UNSPECIFIED}


class AccessMissingError(Exception):
    """A method does not say who may call it."""


def roles_of_methods(service_names: Iterable[str]) -> dict[str, Roles]:
    """Return who may call each method, by its path. Raises AccessMissingError."""
    methods = [
        method for name in service_names for method in Default().FindServiceByName(name).methods
    ]
    roles = {
        f"/{method.containing_service.full_name}/{method.name}": frozenset(
            method.GetOptions().Extensions[access_pb2.callers]
        )
        for method in methods
    }
    silent = [path for path, callers in roles.items() if not callers or not callers <= EVERYBODY]
    if silent:
        raise AccessMissingError(f"nothing says who may call {', '.join(silent)}")
    return roles


class Access(Protocol):
    """Decides who is let in."""

    def admit(self, path: str, context: Any) -> Caller | None:
        """Return who calls, or None if nobody can be told from another. Raises DomainError."""
        ...


class OpenAccess:
    """For development, on a connection that proves nothing: whoever reaches it may call."""

    def admit(self, path: str, context: Any) -> None:
        """Let everybody in."""


class ProvenAccess:
    """Lets in whoever proves a role that may call the method, as often as anybody may."""

    def __init__(
        self,
        roles: Mapping[str, Roles],
        certificates: WatchedCertificates,
        rates: CallRates,
        *,
        open_reflection: bool,
    ) -> None:
        of_reflection = EVERYBODY if open_reflection else OF_REFLECTION
        self._roles = {**roles, **dict.fromkeys(REFLECTION_METHODS, of_reflection)}
        self._certificates = certificates
        self._rates = rates

    def admit(self, path: str, context: Any) -> Caller:
        """Return who calls."""
        caller = self._identify(context)
        self._rates.take(caller)
        roles = self._roles[path]
        if caller.role not in roles:
            allowed = ",".join(sorted(map(role_name, roles)))
            raise DomainError(
                ErrorReason.PERMISSION_DENIED,
                f"{caller} may not call {path.rpartition('/')[2]}; {allowed} may",
                caller=str(caller),
                allowed=allowed,
            )
        return caller

    def _identify(self, context: Any) -> Caller:
        try:
            caller = read_caller(context.auth_context())
        except UnknownCallerError as error:
            raise unauthenticated(str(error)) from error
        if str(caller) in self._certificates.look().refused.names:
            raise unauthenticated(f"{caller} stands in {REFUSED_FILE}")
        return caller


def unauthenticated(problem: str) -> DomainError:
    """Return the error of a certificate that proves nothing here."""
    return DomainError(
        ErrorReason.UNAUTHENTICATED, f"the client's certificate: {problem}", certificate=problem
    )
