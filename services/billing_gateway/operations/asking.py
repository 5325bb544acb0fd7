"""Asks providers, always outside of a transaction, and says what their answers are worth."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.values import ChangeCause, Provider
from services.billing_gateway.operations.recording_port import Source
from services.billing_gateway.ports import (
    Answer,
    PaymentProvider,
    ProviderError,
    ProviderUnavailableError,
)

UNIQUE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a provider is asked, and for whom."""

    cause: ChangeCause = ChangeCause.LOOK
    actor: str = ""
    note: str = ""


BY_ITSELF = Occasion()


@dataclass(frozen=True)
class Asking:
    """The providers that there are credentials for."""

    providers: Mapping[Provider, PaymentProvider]

    @property
    def askable(self) -> frozenset[Provider]:
        """Which those are."""
        return frozenset(each.name for each in self.providers.values() if each.can_be_asked)

    def require(self, provider: Provider) -> PaymentProvider:
        """Return a provider that can be asked."""
        if provider not in self.askable:
            raise DomainError(
                ErrorReason.INVALID_STATE, f"there are no credentials to ask {provider} with"
            )
        return self.providers[provider]


def source_of(what: str, provider: Provider, answer: Answer, occasion: Occasion) -> Source:
    """Return the source that an answer is recorded under.

    It is of its own although two answers may have the same second; and by the provider's own clock
    nothing in it lies ahead.
    """
    return Source(
        provider=provider,
        source_id=f"{what}:{answer.provider_time.isoformat()}:{secrets.token_hex(UNIQUE_BYTES)}",
        cause=occasion.cause,
        receive_time=answer.provider_time,
        actor=occasion.actor,
        note=occasion.note,
    )


def to_domain_error(error: ProviderError) -> DomainError:
    """Return what a caller is told of a provider that was asked in vain."""
    if isinstance(error, ProviderUnavailableError):
        return DomainError(ErrorReason.PROVIDER_UNAVAILABLE, f"the provider failed: {error}")
    return DomainError(ErrorReason.INVALID_STATE, f"the provider refused: {error}")
