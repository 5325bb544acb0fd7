"""Gives every service a database of its own, with an owner that migrates and a role that serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import asyncpg

SERVICES = ("wallet", "campaign", "telephony", "billing_gateway")


@dataclass(frozen=True)
class ServicePasswords:
    """The passwords of one service's two roles."""

    owner: str
    service: str


@dataclass(frozen=True)
class ServiceUrls:
    """Where one service's two roles find its database."""

    owner: str
    service: str


async def create_service_databases(
    superuser_url: str, passwords: Mapping[str, ServicePasswords]
) -> dict[str, ServiceUrls]:
    """Makes what is missing, for every service named in `passwords`, and sets the passwords.

    Role `<service>_owner` owns database `<service>`; role `<service>` may connect and nothing
    else until a migration grants it more; no other role may connect.
    """
    connection = await asyncpg.connect(superuser_url)
    try:
        for service, service_passwords in passwords.items():
            await _create_service_database(connection, service, service_passwords)
    finally:
        await connection.close()
    for service in passwords:
        await _close_public_schema(superuser_url, service)
    return {
        service: ServiceUrls(
            owner=_url_like(superuser_url, f"{service}_owner", given.owner, service),
            service=_url_like(superuser_url, service, given.service, service),
        )
        for service, given in passwords.items()
    }


async def _create_service_database(
    connection: asyncpg.Connection, service: str, passwords: ServicePasswords
) -> None:
    owner = f"{service}_owner"
    await _create_role(connection, owner, passwords.owner)
    await _create_role(connection, service, passwords.service)
    if not await _exists(connection, "SELECT FROM pg_database WHERE datname = $1", service):
        await _execute(connection, "CREATE DATABASE %I OWNER %I", service, owner)
    await _execute(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", service)
    await _execute(connection, "GRANT CONNECT ON DATABASE %I TO %I", service, service)


async def _create_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    if not await _exists(connection, "SELECT FROM pg_roles WHERE rolname = $1", role):
        await _execute(connection, "CREATE ROLE %I", role)
    await _execute(connection, "ALTER ROLE %I LOGIN PASSWORD %L", role, password)


async def _close_public_schema(superuser_url: str, service: str) -> None:
    connection = await asyncpg.connect(superuser_url, database=service)
    try:
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    finally:
        await connection.close()


async def _exists(connection: asyncpg.Connection, query: str, name: str) -> bool:
    return await connection.fetchrow(query, name) is not None


async def _execute(connection: asyncpg.Connection, statement: str, *names: str) -> None:
    """Names and passwords cannot be parameters of these statements; PostgreSQL quotes them."""
    quoted = await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", statement, names)
    await connection.execute(quoted)


def _url_like(url: str, role: str, password: str, database: str) -> str:
    """The same server, another role and database."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    credentials = f"{role}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{credentials}@{server}", path=f"/{database}").geturl()
