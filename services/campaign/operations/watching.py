"""Tells watchers how an organization's campaigns stand, for as long as they listen."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge

from libs.database import Database
from libs.errors import DomainError, ErrorReason, OverloadedError
from libs.listening import Listener
from libs.workers import wait_for_any
from services.campaign.domain.values import Campaign
from services.campaign.domain.watching import Progress, Sight
from services.campaign.storage import watching

# Of the database's connections: however many watch, commands find one.
LOOKS_AT_ONCE = 4
# All that a watcher who does not read keeps here.
CAMPAIGNS_PER_LOOK = 100
RETRY_AFTER_SECONDS = 5.0


class Watching:
    """The watchers of this process.

    Each of them keeps how far it has been told, and nothing of what changes meanwhile: who reads
    slowly is told the last of it.
    """

    def __init__(
        self,
        database: Database,
        listener: Listener,
        registry: CollectorRegistry,
        *,
        watchers_max: int,
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._listener = listener
        self._watchers_max = watchers_max
        self._poll_seconds = poll_seconds
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._ending = asyncio.Event()
        self._watcher_count = 0
        Gauge(
            "tollgate_campaign_watchers",
            "Streams of WatchCampaigns that are open.",
            registry=registry,
        ).set_function(lambda: self._watcher_count)

    async def watch(self, organization_id: str) -> AsyncGenerator[Campaign, None]:
        """Yield each campaign as it stands, and again whenever that may have changed."""
        progress = Progress()
        with self._admitted(), self._listener.waiting_for(organization_id) as woken:
            while not self._ending.is_set():
                woken.clear()
                sight = await self._look(organization_id, progress)
                for campaign in sight.campaigns:
                    yield campaign
                progress = progress.after(sight)
                if progress.is_current_with(sight):
                    await wait_for_any(
                        woken, self._ending, timeout_seconds=self._seconds_to_wait(sight)
                    )
        raise DomainError(
            ErrorReason.SERVICE_UNAVAILABLE,
            "the service is stopping; watch again",
            service="campaign",
        )

    def end(self) -> None:
        """End all streams: the service is about to stop."""
        self._ending.set()

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._watcher_count >= self._watchers_max:
            raise OverloadedError("too many watch already", RETRY_AFTER_SECONDS)
        self._watcher_count += 1
        try:
            yield
        finally:
            self._watcher_count -= 1

    async def _look(self, organization_id: str, progress: Progress) -> Sight:
        async with self._looks:
            return await self._database.run(
                watching.look, organization_id, progress, CAMPAIGNS_PER_LOOK
            )

    def _seconds_to_wait(self, sight: Sight) -> float:
        """Notifications may be lost; and of a lapse there is none before a worker has seen it."""
        if sight.seconds_to_lapse is None:
            return self._poll_seconds
        return min(self._poll_seconds, sight.seconds_to_lapse)
