"""Hears what any process says through PostgreSQL, and wakes whoever in this one waits for it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from pydantic import SecretStr

from libs.database import TIMED_OUT_ERRORS, TRANSIENT_ERRORS
from libs.logs import get_logger
from libs.workers import back_off_seconds, wait_for_any

BACK_OFF_BASE_SECONDS = 0.05
BACK_OFF_MAX_SECONDS = 1.0
# A notification with this payload is for everybody.
EVERYBODY = ""

# Whatever keeps it from hearing, a missing database or a wrong password among it, may be mended.
DEAF_ERRORS: tuple[type[Exception], ...] = (
    *TRANSIENT_ERRORS,
    *TIMED_OUT_ERRORS,
    asyncpg.PostgresError,
)


class Listener:
    """Hears one channel on a connection of its own; a notification's payload says whom it wakes.

    A notification is only a hint: whoever is woken looks for themselves. What is said while nobody
    hears is lost, so everybody is woken when the connection is lost, and when it is there again.
    """

    def __init__(
        self,
        url: SecretStr,
        channel: str,
        *,
        check_seconds: float = 5.0,
        answer_seconds: float = 5.0,
    ) -> None:
        self.name = f"listen_{channel}"
        self._url = url
        self._channel = channel
        # So often the connection is asked whether it lives, and so long it may take to answer.
        self._check_seconds = check_seconds
        self._answer_seconds = answer_seconds
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._failures_in_a_row = 0

    @contextmanager
    def waiting_for(self, key: str) -> Iterator[asyncio.Event]:
        """Hand out an event that is set whenever there may be news for the key."""
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until stop is set."""
        while not stop.is_set():
            try:
                await self._listen(stop)
            except DEAF_ERRORS as error:
                # By its type: texts of a connection that is refused may quote how it was asked for.
                kind = type(error).__name__
                get_logger().warning("listener_is_deaf", listener=self.name, error=kind)
                back_off = back_off_seconds(
                    self._failures_in_a_row, BACK_OFF_BASE_SECONDS, BACK_OFF_MAX_SECONDS
                )
                self._failures_in_a_row += 1
                await wait_for_any(stop, timeout_seconds=back_off)

    async def _listen(self, stop: asyncio.Event) -> None:
        connection = await asyncpg.connect(
            self._url.get_secret_value(),
            timeout=self._answer_seconds,
            command_timeout=self._answer_seconds,
            server_settings={"application_name": self.name},
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, self._hear)
            self._failures_in_a_row = 0
            self._wake(EVERYBODY)
            while not stop.is_set():
                # A connection whose other end has vanished tells nobody so, unless it is asked.
                await connection.execute("SELECT 1")
                await wait_for_any(stop, lost, timeout_seconds=self._check_seconds)
        finally:
            connection.terminate()
            self._wake(EVERYBODY)

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._wake(str(payload))

    def _wake(self, key: str) -> None:
        keys = self._waiting.keys() if key == EVERYBODY else self._waiting.keys() & {key}
        for each in keys:
            for event in self._waiting[each]:
                event.set()
