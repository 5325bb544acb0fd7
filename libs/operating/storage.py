"""The table `operator_actions`, and the functions that ops/compose/sql makes for long ones."""

from libs.database import Connection, Record
from libs.operating.values import Act, ActionFilter, LongTransaction, OperatorAction
from libs.paging import ChangeKey

INSERT_ACTION = """
INSERT INTO operator_actions (action, actor, note, organization_id, reference)
VALUES ($1, $2, $3, $4, $5)
"""


async def append_action(connection: Connection, act: Act) -> None:
    """Keep who did what, and why."""
    await connection.execute(
        INSERT_ACTION, act.action, act.actor, act.note, act.organization_id, act.reference
    )


LIST_ACTIONS = """
SELECT * FROM operator_actions
WHERE ($1::text = '' OR organization_id = $1 AND organization_id <> '')
  AND ($2::text = '' OR action = $2)
  AND ($3::text = '' OR actor = $3 AND actor <> '')
  AND ($4::timestamptz IS NULL OR create_time >= $4)
  AND ($5::timestamptz IS NULL OR create_time < $5)
  AND ($6::timestamptz IS NULL OR (create_time, action_id) < ($6, $7))
ORDER BY create_time DESC, action_id DESC
LIMIT $8
"""


async def list_actions(
    connection: Connection, wanted: ActionFilter, before: ChangeKey, limit: int
) -> list[OperatorAction]:
    """Return actions, newest first, before the given one."""
    rows = await connection.fetch(
        LIST_ACTIONS,
        wanted.organization_id,
        wanted.action,
        wanted.actor,
        wanted.start_time,
        wanted.end_time,
        before.time,
        before.number,
        limit,
    )
    return [_to_action(row) for row in rows]


LIST_LONG_TRANSACTIONS = """
SELECT * FROM list_long_transactions() ORDER BY start_time LIMIT $1
"""


async def list_long_transactions(connection: Connection, limit: int) -> list[LongTransaction]:
    """Return what may keep others waiting, longest open first."""
    return [LongTransaction(*row) for row in await connection.fetch(LIST_LONG_TRANSACTIONS, limit)]


HAS_LONG_TRANSACTION = """
SELECT EXISTS (SELECT FROM list_long_transactions() WHERE process_id = $1)
"""


async def has_long_transaction(connection: Connection, process_id: int) -> bool:
    """Tell whether a process has a transaction that is listed."""
    has: bool = await connection.fetchval(HAS_LONG_TRANSACTION, process_id)
    return has


END_LONG_TRANSACTION = "SELECT * FROM end_long_transaction($1)"


async def end_long_transaction(connection: Connection, process_id: int) -> LongTransaction | None:
    """End such a transaction with its session; None if the process has none."""
    row = await connection.fetchrow(END_LONG_TRANSACTION, process_id)
    return LongTransaction(*row) if row else None


def _to_action(row: Record) -> OperatorAction:
    return OperatorAction(
        row["action_id"],
        row["create_time"],
        Act(row["action"], row["actor"], row["note"], row["organization_id"], row["reference"]),
    )
