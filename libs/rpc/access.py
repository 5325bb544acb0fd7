"""Who may call what: the roles that stand beside each method in the protos."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol

from google.protobuf.descriptor_pool import Default

from libs.errors import DomainError, ErrorReason
from libs.rpc.callers import Caller, UnknownCallerError, role_name
from libs.rpc.credentials import WatchedCertificates
from libs.rpc.limits import CallerLimits
from libs.rpc.proof import read_caller
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
    """Decides who is let in. Each of its methods may raise DomainError."""

    def identify(self, context: Any) -> Caller | None:
        """Return who calls, as is believed now; None if nobody can be told from another."""
        ...

    def admit(self, path: str, caller: Caller | None) -> None:
        """Let a caller call a method, once."""
        ...

    def admit_to_health(self, context: Any) -> Caller | None:
        """Let anybody ask how the service is, once; return who asks, if that is told."""
        ...

    def keep_open(self, caller: Caller | None) -> AbstractContextManager[None]:
        """Let a caller keep a stream open until the end of the block."""
        ...


class OpenAccess:
    """For development, on a connection that proves nothing: whoever reaches it may call."""

    def identify(self, context: Any) -> None:
        """Tell nobody from another."""

    def admit(self, path: str, caller: Caller | None) -> None:
        """Let everybody in."""

    def admit_to_health(self, context: Any) -> None:
        """Let everybody in."""

    def keep_open(self, caller: Caller | None) -> AbstractContextManager[None]:  # noqa: ARG002
        """Count nothing."""
        return nullcontext()


class ProvenAccess:
    """Lets in whoever proves a role that may call the method, as often as anybody may."""

    def __init__(
        self,
        roles: Mapping[str, Roles],
        certificates: WatchedCertificates,
        limits: CallerLimits,
        *,
        open_reflection: bool,
    ) -> None:
        of_reflection = EVERYBODY if open_reflection else OF_REFLECTION
        self._roles = {**roles, **dict.fromkeys(REFLECTION_METHODS, of_reflection)}
        self._certificates = certificates
        self._limits = limits

    def identify(self, context: Any) -> Caller:
        """Return who calls, unless the certificate names nobody, or somebody who is refused."""
        try:
            return self._recognize(context)
        except UnknownCallerError as error:
            raise unauthenticated(str(error)) from error

    def _recognize(self, context: Any) -> Caller:
        caller = read_caller(context.auth_context())
        if caller in self._certificates.look().refused.callers:
            raise unauthenticated(f"{caller} stands in {REFUSED_FILE}")
        return caller

    def admit(self, path: str, caller: Caller | None) -> None:
        """Let in whoever has a role for it and has not called too often."""
        assert caller is not None
        self._limits.count_call(caller)
        roles = self._roles[path]
        if caller.role not in roles:
            allowed = ",".join(sorted(map(role_name, roles)))
            raise DomainError(
                ErrorReason.PERMISSION_DENIED,
                f"{caller} may not call {path.rpartition('/')[2]}; {allowed} may",
                caller=str(caller),
                allowed=allowed,
            )

    def admit_to_health(self, context: Any) -> Caller | None:
        """Let in also whom the certificate does not name: all of them count as one."""
        try:
            caller = self._recognize(context)
        except UnknownCallerError:
            caller = None
        self._limits.count_call(caller)
        return caller

    def keep_open(self, caller: Caller | None) -> AbstractContextManager[None]:
        """Count it among the caller's streams."""
        return self._limits.keep_open(caller)


def unauthenticated(problem: str) -> DomainError:
    """Return the error of a certificate that proves nothing here."""
    return DomainError(
        ErrorReason.UNAUTHENTICATED, f"the client's certificate: {problem}", certificate=problem
    )
