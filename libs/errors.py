"""Errors that a caller of Tollgate can act on: a reason of the contract, a message, and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorReason(StrEnum):
    """The reasons of `tollgate/errors/v1/error_reason.proto`, without their prefix."""

    WALLET_NOT_FOUND = "WALLET_NOT_FOUND"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    CAMPAIGN_NOT_FOUND = "CAMPAIGN_NOT_FOUND"
    SUBACCOUNT_NOT_FOUND = "SUBACCOUNT_NOT_FOUND"
    SUBSCRIPTION_NOT_FOUND = "SUBSCRIPTION_NOT_FOUND"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    WALLET_FROZEN = "WALLET_FROZEN"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    BALANCE_LIMIT_EXCEEDED = "BALANCE_LIMIT_EXCEEDED"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    INVALID_STATE = "INVALID_STATE"
    HOLD_NOT_OPEN = "HOLD_NOT_OPEN"
    CAPTURE_EXCEEDS_HOLD = "CAPTURE_EXCEEDS_HOLD"
    EVENT_BODY_EXPIRED = "EVENT_BODY_EXPIRED"
    REFERENCE_CONFLICT = "REFERENCE_CONFLICT"
    ALREADY_LINKED = "ALREADY_LINKED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"


class DomainError(Exception):
    """A refusal, or a failure worth retrying, in the words of the contract."""

    def __init__(self, reason: ErrorReason, message: str, /, **metadata: str | int) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = {name: str(value) for name, value in metadata.items()}


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule."""

    field: str
    description: str


class InvalidArgumentError(DomainError):
    """A request that cannot be carried out in any state."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        message = "; ".join(f"{each.field}: {each.description}" for each in violations)
        super().__init__(ErrorReason.INVALID_ARGUMENT, message)
        self.violations = tuple(violations)


class OverloadedError(DomainError):
    """A request that was refused before anything was done, because too much is waiting already."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(ErrorReason.OVERLOADED, message)
        self.retry_after_seconds = retry_after_seconds


def invalid_field(field: str, description: str) -> InvalidArgumentError:
    """Return the error for one field that only its owner can judge."""
    return InvalidArgumentError([FieldViolation(field, description)])
