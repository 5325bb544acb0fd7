"""Gives every service a database of its own, with roles that migrate, serve and read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg

SERVICES = ("wallet", "campaign", "telephony", "billing_gateway")
# What docker-compose.yml has run as well.
SET_UP = Path(__file__).parents[1] / "ops" / "compose" / "sql" / "service_database.sql"


@dataclass(frozen=True)
class ServicePasswords:
    """The passwords of one service's three roles."""

    owner: str
    service: str
    reader: str


@dataclass(frozen=True)
class ServiceUrls:
    """Where one service's three roles find its database."""

    owner: str
    service: str
    reader: str


async def create_service_databases(
    superuser_url: str, passwords: Mapping[str, ServicePasswords]
) -> dict[str, ServiceUrls]:
    """Makes what is missing, for every service named in `passwords`, and sets the passwords.

    Role `<service>_owner` owns database `<service>`; role `<service>` may connect and nothing
    else until a migration grants it more, and so may `<service>_reader`; no other may connect.
    """
    connection = await asyncpg.connect(superuser_url)
    try:
        for service in passwords:
            await _create_database(connection, service)
    finally:
        await connection.close()
    for service, given in passwords.items():
        await _set_up(superuser_url, service, given)
    return {
        service: ServiceUrls(
            owner=_url_like(superuser_url, f"{service}_owner", given.owner, service),
            service=_url_like(superuser_url, service, given.service, service),
            reader=_url_like(superuser_url, f"{service}_reader", given.reader, service),
        )
        for service, given in passwords.items()
    }


async def _create_database(connection: asyncpg.Connection, service: str) -> None:
    known = await connection.fetchrow("SELECT FROM pg_database WHERE datname = $1", service)
    if known is None:
        quoted = await connection.fetchval("SELECT quote_ident($1)", service)
        await connection.execute(f"CREATE DATABASE {quoted}")


async def _set_up(superuser_url: str, service: str, passwords: ServicePasswords) -> None:
    connection = await asyncpg.connect(superuser_url, database=service)
    try:
        for whose, password in asdict(passwords).items():
            setting = f"tollgate.{whose}_password"
            await connection.execute("SELECT set_config($1, $2, false)", setting, password)
        await connection.execute(SET_UP.read_text())
    finally:
        await connection.close()


def _url_like(url: str, role: str, password: str, database: str) -> str:
    """The same server, another role and database."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    credentials = f"{role}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{credentials}@{server}", path=f"/{database}").geturl()
