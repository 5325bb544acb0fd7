"""Remembers certificates in the database, so that a restart need not fetch them."""

from collections.abc import Callable

from libs.database import Database
from services.billing_gateway.storage import certificates


class RememberedCertificates:
    """What the database has, at hand: a flood of deliveries that name others asks it nothing."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._kept: dict[str, bytes] = {}
        self._to_keep: dict[str, bytes] = {}

    def recall(self, url: str) -> bytes | None:
        """Return what is remembered of an address."""
        return self._kept.get(url)

    def remember(self, url: str, pem: bytes) -> None:
        """Remember what lies at an address."""
        if self._kept.get(url) != pem:
            self._kept[url] = self._to_keep[url] = pem
            self._wake()

    async def exchange(self) -> bool:
        """Write what is new, and read what others wrote; answer that there is no more to do."""
        for url, pem in tuple(self._to_keep.items()):
            await self._database.transact(certificates.keep, url, pem)
            if self._to_keep[url] is pem:
                del self._to_keep[url]
        self._kept = await self._database.run(certificates.list_kept) | self._to_keep
        return False
