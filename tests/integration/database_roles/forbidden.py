"""What neither a service nor a person may do in a service's database, whatever it holds."""

from typing import Any

import asyncpg


def forbidden_to(role: str, service: str) -> dict[str, str]:
    """Return statements by what they would do."""
    return {
        "make a table": "CREATE TABLE mine ()",
        "make a temporary table": "CREATE TEMPORARY TABLE mine ()",
        "make a view": "CREATE VIEW mine AS SELECT 1",
        "make a schema": "CREATE SCHEMA mine",
        "make a function": "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql RETURN 1",
        "make a table among the system's": "CREATE TABLE pg_catalog.mine ()",
        "make a table in another schema": "CREATE TABLE information_schema.mine ()",
        "make a database": "CREATE DATABASE mine",
        "make a role": "CREATE ROLE mine",
        "become a superuser": f"ALTER ROLE {role} SUPERUSER",
        "read every row": f"ALTER ROLE {role} BYPASSRLS",
        "connect more often": f"ALTER ROLE {role} CONNECTION LIMIT 1000",
        "become the owner": f"SET ROLE {service}_owner",
        "become the system": "SET ROLE postgres",
        "be the system from the start": "SET SESSION AUTHORIZATION postgres",
        "join the owner": f"GRANT {service}_owner TO {role}",
        "own the database": f"ALTER DATABASE {service} OWNER TO {role}",
        "read passwords": "SELECT rolpassword FROM pg_authid",
        "read passwords in their view": "SELECT passwd FROM pg_shadow",
        "read samples of all columns": "SELECT stavalues1 FROM pg_statistic",
        "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
        "write a file": "COPY (SELECT 1) TO '/tmp/mine'",
        "read a file": "SELECT pg_read_file('/etc/passwd')",
        "list a folder": "SELECT pg_ls_dir('/')",
        "make a large object": "SELECT lo_create(0)",
        "make a large object as of old": "SELECT lo_creat(-1)",
        "make a large object of bytes": "SELECT lo_from_bytea(0, 'mine')",
        "make a large object of a file": "SELECT lo_import('/etc/passwd')",
        "write files of snapshots": "SELECT pg_export_snapshot()",
        "write to the log of changes": "SELECT pg_logical_emit_message(false, 'mine', 'mine')",
        "change the server's settings": "ALTER SYSTEM SET work_mem = '1GB'",
        "put off constraints": "SET session_replication_role = replica",
        "forget what was counted": "SELECT pg_stat_reset()",
        "have migrations run again": "DELETE FROM schema_migrations",
    }


async def not_refused(
    connection: "asyncpg.Connection[Any]", statements: dict[str, str]
) -> set[str]:
    """Return which of these are done, or fail for another reason than who asks."""
    done = set[str]()
    for name, statement in statements.items():
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        except asyncpg.PostgresError as error:
            done.add(f"{name}: {error}")
        else:
            done.add(name)
    return done
