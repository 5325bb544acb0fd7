"""What a service's role may do in its database, and whether the database can be relied on."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg

import services
from libs.config import OwnerSettings
from libs.database import CONNECTION_ERRORS, reason_of
from libs.migrations import read_migrations
from preflight.given import Given, owner_setting
from preflight.problems import Problem

CONNECT_SECONDS_MAX: Final = 10.0
# What stands there stands for ever.
APPEND_ONLY: Final = (
    "entries",
    "campaign_changes",
    "subaccount_changes",
    "subscription_changes",
    "operator_actions",
)
LOOK: Final = """
SELECT
    (
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication
        FROM pg_roles WHERE rolname = current_user
    ) AS is_mighty,
    (SELECT pg_has_role(datdba, 'MEMBER') FROM pg_database WHERE datname = current_database())
        AS is_owner,
    ARRAY(
        SELECT name FROM unnest($1::text[]) AS name
        WHERE to_regclass(name) IS NOT NULL AND (
            has_any_column_privilege(name, 'UPDATE')
            OR has_table_privilege(name, 'DELETE')
            OR has_table_privilege(name, 'TRUNCATE')
        )
    ) AS writable,
    current_setting('default_transaction_isolation') AS isolation,
    ARRAY(
        SELECT name FROM unnest(ARRAY['fsync', 'full_page_writes', 'synchronous_commit']) AS name
        WHERE current_setting(name) = 'off'
    ) AS switched_off
"""

Ask = Callable[[Given], Awaitable[list[Problem]]]


def role_problems(service: str) -> tuple[str, Ask]:
    """Return the setting with which a service works on its database, and the question."""
    setting = f"{service.upper()}_DATABASE_URL"

    async def ask(given: Given) -> list[Problem]:
        settings = getattr(given, service)
        if not isinstance(settings, OwnerSettings):
            return []
        answer = await _fetch(settings.database_url.get_secret_value(), LOOK, APPEND_ONLY)
        if isinstance(answer, str):
            return [Problem(setting, answer)]
        return [Problem(setting, message) for message in judge(answer[0])]

    return setting, ask


def judge(found: Any) -> list[str]:
    """Return what is wrong with a role and its database."""
    messages = []
    if found["is_mighty"]:
        messages.append("its role may do more than a service needs: make it no superuser")
    if found["is_owner"]:
        messages.append("its role owns the database, and may change the past")
    if found["writable"]:
        messages.append(f"its role may change what stands in {', '.join(found['writable'])}")
    if found["isolation"] != "read committed":
        messages.append("default_transaction_isolation is expected to be read committed")
    if found["switched_off"]:
        messages.append(f"what was answered can be lost: {', '.join(found['switched_off'])} is off")
    return messages


def migration_problems(service: str) -> tuple[str, Ask]:
    """Return the setting with which a database is migrated, and the question."""
    setting = owner_setting(service)
    directory = Path(services.__path__[0]) / service / "migrations"

    async def ask(given: Given) -> list[Problem]:
        if not given.value(setting):
            return []
        answer = await _fetch(given.value(setting), "SELECT name, checksum FROM schema_migrations")
        if isinstance(answer, str):
            return [Problem(setting, answer)]
        applied = {row["name"]: row["checksum"] for row in answer}
        own = {each.name: each.checksum for each in read_migrations(directory)}
        if own.items() <= applied.items():
            return []
        return [Problem(setting, f"the database is not as `services.{service} migrate` makes it")]

    return setting, ask


async def _fetch(url: str, query: str, *arguments: Any) -> list[Any] | str:
    """Return rows, or why there are none."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    except CONNECTION_ERRORS as error:
        return f"cannot be reached: {reason_of(error)}"
    try:
        return list(await connection.fetch(query, *arguments))
    except CONNECTION_ERRORS as error:
        return f"cannot be asked: {reason_of(error)}"
    finally:
        await connection.close()
