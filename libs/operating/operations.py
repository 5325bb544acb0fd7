"""What operators look for and do in every service alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import asyncpg

from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger
from libs.operating import storage
from libs.operating.values import Act, ActionFilter, LongTransaction, OperatorAction
from libs.paging import ChangeKey, Page, decode_change_key, page_limit, page_of_changes

LONG_TRANSACTIONS_MAX = 100


class Operating:
    """The history of what was done by hand, and the transactions that hold up others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_actions(
        self, wanted: ActionFilter, page_size: int, page_token: str
    ) -> Page[OperatorAction]:
        """Return a page of what was done by hand, newest first."""
        limit = page_limit(page_size)
        before = decode_change_key(page_token)
        found = await self._database.run(storage.list_actions, wanted, before, limit + 1)
        return page_of_changes(
            found, limit, lambda last: ChangeKey(last.create_time, last.action_id)
        )

    async def list_long_transactions(self) -> list[LongTransaction]:
        """Return what may keep others waiting. Raises DomainError if nothing can tell."""
        with _set_up_is_told():
            return await self._database.run(storage.list_long_transactions, LONG_TRANSACTIONS_MAX)

    async def find_long_transactions(self) -> Sequence[LongTransaction] | None:
        """Return the same for those who have more to tell; None if nothing can tell."""
        try:
            return await self.list_long_transactions()
        except DomainError as error:
            if error.reason is not ErrorReason.INVALID_STATE:
                raise
            return None

    async def end_long_transaction(self, process_id: int, actor: str, note: str) -> LongTransaction:
        """End one of these, and keep who did."""
        act = Act("EndLongTransaction", actor, note, reference=str(process_id))
        with _set_up_is_told():
            # Before it is done: whoever hangs up while the session ends is written down as well.
            await self._database.transact(_write_down, process_id, act)
            ended = await self._database.run(storage.end_long_transaction, process_id)
        if ended is None:
            raise _no_long_transaction(process_id)
        get_logger().warning(
            "long_transaction_ended",
            process_id=process_id,
            role=ended.role,
            application_name=ended.application_name,
            waiting_count=ended.waiting_count,
            actor=actor,
        )
        return ended


async def _write_down(connection: Connection, process_id: int, act: Act) -> None:
    if not await storage.has_long_transaction(connection, process_id):
        raise _no_long_transaction(process_id)
    await storage.append_action(connection, act)


def _no_long_transaction(process_id: int) -> DomainError:
    return DomainError(
        ErrorReason.INVALID_STATE,
        "the process has no transaction that ListLongTransactions tells of",
        processId=process_id,
    )


@contextmanager
def _set_up_is_told() -> Iterator[None]:
    """Only a superuser makes the functions: a database that is older than they are has none."""
    try:
        yield
    except (asyncpg.UndefinedFunctionError, asyncpg.InsufficientPrivilegeError) as error:
        raise DomainError(
            ErrorReason.INVALID_STATE,
            "the database was set up by an older Tollgate: run ops/compose/create_databases.sh,"
            " or ops/compose/sql/service_database.sql as a superuser",
        ) from error
