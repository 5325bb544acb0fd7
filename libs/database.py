"""One way to PostgreSQL: a pool, transactions that are retried, and honest errors."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic import SecretStr

from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger
from libs.tracing import statement_listener

Record: TypeAlias = asyncpg.Record
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")

ATTEMPTS_MAX = 4
BACK_OFF_BASE_SECONDS = 0.02
BACK_OFF_MAX_SECONDS = 0.5
# For each attempt: three seconds in all.
LOCK_TIMEOUT = "750ms"
ACQUIRE_TIMEOUT_SECONDS = 5.0
# Before who wants the connection has waited long enough: else nobody would hear why.
CONNECT_TIMEOUT_SECONDS = 4.0
COMMAND_TIMEOUT_SECONDS = 10.0
REPORT_TIMEOUT_SECONDS = 120.0
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
# What PostgreSQL's binary jsonb begins with.
JSONB_VERSION = b"\x01"
EMPTY_LIST = JSONB_VERSION + b"[]"

# What may pass by itself. The outcome of a lost COMMIT is unknown; running the work again is safe
# because every command is idempotent by its reference, its revision, or the state that it asks for.
TRANSIENT_ERRORS: tuple[type[Exception], ...] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
    # A schema that is still being migrated.
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
)


# These have used up their time already; who waits for a lock may do so again.
TIMED_OUT_ERRORS: tuple[type[Exception], ...] = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    TimeoutError,
)

# What keeps a connection from opening, a wrong password and an unproven server among it.
CONNECTION_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# Why work is given up, in the order in which it is asked; whatever else it is, it is not available.
CAUSES: Mapping[str, tuple[type[Exception], ...]] = MappingProxyType(
    {
        "lock_timeout": (asyncpg.LockNotAvailableError,),
        "timeout": TIMED_OUT_ERRORS,
        "conflict": (asyncpg.SerializationError, asyncpg.DeadlockDetectedError),
        "unavailable": (Exception,),
    }
)


class DatabaseUnavailableError(DomainError):
    """The database did not answer, more than once. Nothing is known to be done; try again."""

    def __init__(self) -> None:
        super().__init__(
            ErrorReason.DATABASE_UNAVAILABLE, "the database is not available; try again"
        )


class PoolSizes(NamedTuple):
    """So many connections of a pool are at work, and not, and so many it may have."""

    used: int
    idle: int
    max: int


class Database:
    """A service's own database."""

    def __init__(self, name: str, pool: Pool, health_pool: Pool) -> None:
        self.name = name
        # As it was when it was asked last; nothing is known to its disadvantage before.
        self.was_there = True
        self.error_counts = dict.fromkeys(CAUSES, 0)
        self._pool = pool
        # Of its own, so that a full pool does not look like a dead database.
        self._health_pool = health_pool
        self._look: asyncio.Task[bool] | None = None

    @classmethod
    async def connect(
        cls,
        url: SecretStr,
        pool_size: int,
        application_name: str,
        server_settings: Mapping[str, str] = NO_SETTINGS,
    ) -> "Database":
        """Return a database whose connections open on first use, so that a service outlives it."""
        opening = _Opening(application_name)
        return cls(
            application_name,
            await _create_pool(url, pool_size, application_name, opening, server_settings),
            await _create_pool(url, 1, f"{application_name}_health", opening, NO_SETTINGS),
        )

    @classmethod
    async def connect_for_reports(
        cls,
        url: SecretStr,
        pool_size: int,
        application_name: str,
        server_settings: Mapping[str, str] = NO_SETTINGS,
    ) -> "Database":
        """Return a database whose statements may read whole tables, and take their time for it."""
        settings = {"statement_timeout": f"{REPORT_TIMEOUT_SECONDS:g}s", **server_settings}
        opening = _Opening(application_name)
        return cls(
            application_name,
            await _create_pool(
                url,
                pool_size,
                application_name,
                opening,
                settings,
                command_timeout_seconds=REPORT_TIMEOUT_SECONDS,
            ),
            await _create_pool(url, 1, f"{application_name}_health", opening, NO_SETTINGS),
        )

    async def close(self) -> None:
        """Close every connection, waiting for none that hangs."""
        for pool in (self._pool, self._health_pool):
            try:
                await asyncio.wait_for(pool.close(), timeout=ACQUIRE_TIMEOUT_SECONDS)
            except TimeoutError:
                pool.terminate()

    async def transact(
        self,
        work: Callable[Concatenate[Connection, ArgumentsT], Awaitable[ResultT]],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Run the work in one transaction; again, a few times, if the trouble is transient."""

        async def attempt(connection: Connection) -> ResultT:
            async with connection.transaction():
                return await work(connection, *args, **kwargs)

        return await self._with_retries(attempt)

    async def read_snapshot(
        self,
        work: Callable[Concatenate[Connection, ArgumentsT], Awaitable[ResultT]],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Run reads that all see the database as it is at one moment; again if that is worth it."""

        async def attempt(connection: Connection) -> ResultT:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await work(connection, *args, **kwargs)

        return await self._with_retries(attempt)

    async def run(
        self,
        work: Callable[Concatenate[Connection, ArgumentsT], Awaitable[ResultT]],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Run work in which each statement stands for itself; again if the trouble is transient."""

        async def attempt(connection: Connection) -> ResultT:
            return await work(connection, *args, **kwargs)

        return await self._with_retries(attempt)

    @property
    def pool_sizes(self) -> PoolSizes:
        """Return how many connections there are now."""
        idle = self._pool.get_idle_size()
        return PoolSizes(self._pool.get_size() - idle, idle, self._pool.get_max_size())

    async def is_there(self) -> bool:
        """Tell whether the database answers now.

        Who asks while somebody else does hears the same answer: so many that ask at once must not
        look like a dead database either.
        """
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_whether_it_is_there())
        return await asyncio.shield(self._look)

    async def _look_whether_it_is_there(self) -> bool:
        self.was_there = await self._answers()
        return self.was_there

    async def _answers(self) -> bool:
        try:
            async with _connection_of(self._health_pool) as connection:
                await connection.execute("SELECT 1", timeout=ACQUIRE_TIMEOUT_SECONDS)
        except TRANSIENT_ERRORS:
            return False
        except TIMED_OUT_ERRORS:
            return False
        return True

    async def _with_retries(self, attempt: Callable[[Connection], Awaitable[ResultT]]) -> ResultT:
        # By hand: a library for retries costs as much as the statements of a debit, tried once.
        for number in range(ATTEMPTS_MAX):
            try:
                return await self._attempt_once(attempt)
            except asyncpg.LockNotAvailableError as error:
                failure: Exception = error
            except TIMED_OUT_ERRORS as error:
                failure = error
                break
            except TRANSIENT_ERRORS as error:
                failure = error
            back_off_seconds = min(BACK_OFF_MAX_SECONDS, BACK_OFF_BASE_SECONDS * 2**number)
            await asyncio.sleep(random.uniform(0, back_off_seconds))
        self._note(failure)
        raise DatabaseUnavailableError from failure

    def _note(self, failure: Exception) -> None:
        cause = next(name for name, errors in CAUSES.items() if isinstance(failure, errors))
        self.error_counts[cause] += 1
        if cause == "lock_timeout":
            get_logger().warning("lock_timeout", attempts=ATTEMPTS_MAX)

    async def _attempt_once(self, attempt: Callable[[Connection], Awaitable[ResultT]]) -> ResultT:
        async with _connection_of(self._pool) as connection:
            return await attempt(connection)


class _Opening:
    """Opens connections, and says what keeps them from opening: once, until it is another thing."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._reason: str | None = None

    async def __call__(self, *args: Any, **kwargs: Any) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*args, **kwargs)
        except CONNECTION_ERRORS as error:
            reason = reason_of(error)
            if reason != self._reason:
                get_logger().warning(
                    "database_cannot_be_reached", database=self._database, error=reason
                )
            self._reason = reason
            raise
        self._reason = None
        if listener := statement_listener():
            connection.add_query_logger(listener)
        return connection


def reason_of(error: Exception) -> str:
    """Return what went wrong in one line: of an error of PostgreSQL's, without rows it may show."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def _create_pool(
    url: SecretStr,
    size: int,
    application_name: str,
    opening: _Opening,
    server_settings: Mapping[str, str],
    *,
    command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
) -> Pool:
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=0,
        max_size=size,
        command_timeout=command_timeout_seconds,
        timeout=CONNECT_TIMEOUT_SECONDS,
        connect=opening,
        init=_decode_json,
        reset=_leave_as_it_is,
        server_settings={
            "application_name": application_name,
            "lock_timeout": LOCK_TIMEOUT,
            "statement_timeout": "8s",
            "idle_in_transaction_session_timeout": "10s",
            **server_settings,
        },
    )


@asynccontextmanager
async def _connection_of(pool: Pool) -> AsyncIterator[Connection]:
    try:
        connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
    except asyncpg.PostgresError as error:
        # Whatever keeps a connection from opening, a missing database among it, may be mended.
        raise ConnectionError("no connection to the database") from error
    try:
        yield connection
    finally:
        await pool.release(connection)


async def _decode_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    # In the binary format, since a row of a table as a parameter is binary throughout.
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: JSONB_VERSION + json.dumps(value).encode(),
        # Most of what is read here are the freezes of wallets that are not frozen.
        decoder=lambda data: [] if data == EMPTY_LIST else json.loads(data[len(JSONB_VERSION) :]),
        schema="pg_catalog",
        format="binary",
    )


async def _leave_as_it_is(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing here sets what outlives a transaction: asyncpg's reset would be a wasted trip."""
