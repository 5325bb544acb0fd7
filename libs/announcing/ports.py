"""What the announcer needs of the service that owns a level, and of those who observe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from libs.database import Connection

LevelT_co = TypeVar("LevelT_co", covariant=True)
LevelT_contra = TypeVar("LevelT_contra", contravariant=True)


@dataclass(frozen=True, slots=True, order=True)
class LevelKey:
    """Whose level it is; `key` tells an organization's levels apart, such as its payments."""

    organization_id: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class CurrentLevel:
    """The key of a level and the revision at which it stands."""

    key: LevelKey
    revision: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far an observer has taken a level."""

    acknowledged_revision: int
    last_error: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one observer has not acknowledged of one kind of level."""

    level: str
    observer: str
    pending_count: int
    oldest_time: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """How far one observer has taken one level."""

    level: str
    key: LevelKey
    observer: str
    revision: int
    acknowledged_revision: int
    pending_since: datetime | None
    attempt_count: int
    last_error: str


@dataclass(frozen=True, slots=True)
class AnnouncerTiming:
    """How often to look for what is due, to retry at the slowest, and to announce everything."""

    poll_interval_seconds: float
    back_off_max_seconds: float
    sweep_interval_seconds: float


class Level(Protocol):
    """What all levels have."""

    @property
    def revision(self) -> int:
        """Return the revision at which it stands."""
        ...


class LevelSource(Protocol[LevelT_co]):
    """The owner of a level."""

    async def read_level(self, connection: Connection, key: LevelKey) -> LevelT_co:
        """Return the level as it stands now; it has a revision."""
        ...

    async def lift_revision(
        self, connection: Connection, key: LevelKey, from_at_most: int, to: int
    ) -> bool:
        """Set the revision if it is not already higher than expected; answer whether it was set."""
        ...

    async def list_levels(
        self, connection: Connection, after: LevelKey | None, limit: int
    ) -> Sequence[CurrentLevel]:
        """Return levels in the order of their keys, after the given one."""
        ...


class LevelObserver(Protocol[LevelT_contra]):
    """One who must know a level."""

    name: str

    async def report(self, key: LevelKey, level: LevelT_contra) -> int:
        """Tell it the level; return the revision that it holds then. Raises DomainError."""
        ...
