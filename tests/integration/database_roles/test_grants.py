"""A service's role may do what its statements need: each of them works, and nothing else does."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement

from tests.integration.database_roles.conftest import Connect
from tests.support.databases import ServiceDatabase
from tests.support.statements import ROOT, statements_of, statements_within_functions

pytestmark = pytest.mark.database

# All that the role holds, column by column, and how it is taken away. What is granted on a table
# is granted on each of its columns.
PRIVILEGES = """
WITH relations AS (
    SELECT oid, oid::regclass AS relation, relkind FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
),
columns AS (
    SELECT relation, quote_ident(attname) AS name, privilege
    FROM relations JOIN pg_attribute ON attrelid = oid,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS privilege
    WHERE relkind <> 'S' AND attnum > 0 AND NOT attisdropped
      AND has_column_privilege($1, oid, attnum, privilege)
)
SELECT format('%s (%s) ON %s', privilege, name, relation) AS name,
    format('REVOKE %s ON %s FROM %I', privilege, relation, $1) AS revoke,
    (
        SELECT format('GRANT %s (', columns.privilege) || string_agg(others.name, ', ')
            || format(') ON %s TO %I', columns.relation, $1)
        FROM columns AS others
        WHERE others.relation = columns.relation AND others.privilege = columns.privilege
          AND others.name <> columns.name
    ) AS grant_others,
    relation::text AS subject
FROM columns
UNION ALL
SELECT format('%s ON %s', privilege, relation),
    format('REVOKE %s ON %s FROM %I', privilege, relation, $1), NULL, relation::text
FROM relations, unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER', 'MAINTAIN']) AS privilege
WHERE relkind <> 'S' AND has_table_privilege($1, oid, privilege)
UNION ALL
SELECT format('%s ON %s', privilege, relation),
    format('REVOKE %s ON SEQUENCE %s FROM %I', privilege, relation, $1), NULL, relation::text
FROM relations, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS privilege
WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege($1, oid, privilege) END
UNION ALL
SELECT format('EXECUTE ON %s', oid::regprocedure),
    format('REVOKE EXECUTE ON FUNCTION %s FROM %I, PUBLIC', oid::regprocedure, $1), NULL, proname
FROM pg_proc
WHERE (pronamespace = 'public'::regnamespace OR proname LIKE 'pg\\_%advisory%')
  AND has_function_privilege($1, oid, 'EXECUTE')
"""


@dataclass(frozen=True)
class Role:
    """A service's role in its own database, tried by a superuser who takes privileges away."""

    service: str
    connection: "asyncpg.Connection[Any]"
    statements: dict[str, "PreparedStatement[Any]"]

    async def privileges(self) -> list[Any]:
        return await self.connection.fetch(PRIVILEGES, self.service)

    async def refused(self, names: Sequence[str]) -> str | None:
        """Return the first of these statements that the role may not send."""
        for name in names:
            if await self._is_refused(self.statements[name]):
                return name
        return None

    async def _is_refused(self, statement: "PreparedStatement[Any]") -> bool:
        """It is sent with nothing for its parameters: it finds nothing, or makes an empty row."""
        await self.connection.execute(f"SAVEPOINT before; SET LOCAL ROLE {self.service}")
        try:
            await statement.fetch(*(None for _ in statement.get_parameters()))
        except asyncpg.InsufficientPrivilegeError:
            return True
        except asyncpg.IntegrityConstraintViolationError:
            return False
        finally:
            await self.connection.execute("ROLLBACK TO before")
        return False

    def naming(self, subject: str) -> list[str]:
        """Return the statements that name something, and then those that do not."""
        word = re.compile(rf"\b{subject}\b")
        return sorted(
            self.statements, key=lambda name: not word.search(self.statements[name].get_query())
        )


@pytest.fixture
async def role(database: ServiceDatabase, service: str, connect: Connect) -> Role:
    """Each service's; plans are made without regard to what is asked for."""
    connection = await connect(database.superuser_url)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    statements = {
        name: await connection.prepare(statement)
        for name, statement in statements_of(service).items()
    }
    return Role(service, connection, statements)


@asynccontextmanager
async def undone(connection: "asyncpg.Connection[Any]") -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def test_every_statement_works(role: Role) -> None:
    async with undone(role.connection):
        refused = [name for name in role.statements if await role.refused([name])]
    assert role.statements
    assert not refused


async def test_every_privilege_is_needed(role: Role) -> None:
    superfluous = []
    for privilege in await role.privileges():
        async with undone(role.connection):
            await role.connection.execute(privilege["revoke"])
            if privilege["grant_others"]:
                await role.connection.execute(privilege["grant_others"])
            if await role.refused(role.naming(privilege["subject"])) is None:
                superfluous.append(privilege["name"])
    assert not superfluous, "\n".join(superfluous)


def test_every_statement_is_found() -> None:
    """Those are that stand in constants; what migrates is sent by another role."""
    files = {*ROOT.glob("services/**/*.py"), *ROOT.glob("libs/**/*.py")}
    files -= {ROOT / "libs" / "migrations.py"}
    assert not [each for path in sorted(files) for each in statements_within_functions(path)]
