"""How what a provider tells is recorded, whoever was told: settling, looks, captures, sweeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.announcing.ports import LevelKey
from libs.database import Connection
from services.billing_gateway.domain.observations import Observation
from services.billing_gateway.domain.values import ChangeCause, Provider


class ObjectsBusyError(Exception):
    """Somebody else works on the same objects or organization right now; try again soon."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where observations come from: an event's id, or what was asked (`look:…`, `capture:…`)."""

    provider: Provider
    source_id: str
    cause: ChangeCause
    receive_time: datetime
    actor: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of observations, to be told after the commit."""

    # Whose they are; several only if one event speaks of several organizations' objects.
    organization_ids: tuple[str, ...] = ()
    # Not empty: something waits for a person, or for what is told later.
    problem: str = ""
    subscription_levels: tuple[str, ...] = ()
    payment_levels: tuple[LevelKey, ...] = ()
    looks_due: bool = False
    errands_due: bool = False
    unparked: bool = False


class Recording(Protocol):
    """The one way from observations to rows and levels."""

    async def record(
        self,
        connection: Connection,
        source: Source,
        observations: Sequence[Observation],
        *,
        wait: bool = False,
    ) -> Recorded:
        """Record observations in the caller's transaction; idempotent, in any order.

        Without `wait`, raises ObjectsBusyError instead of waiting for a lock. Raises DomainError
        for what contradicts what is known.
        """
        ...

    def wake(self, recorded: Recorded) -> None:
        """Tell and start what a committed transaction has marked."""
        ...
