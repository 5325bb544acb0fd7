"""Databases for what is measured, each with the roles that a service has."""

import secrets

from dev.postgres import EmbeddedPostgres
from dev.service_databases import ServicePasswords, ServiceUrls, create_service_databases
from dev.stack.settings import CHECKOUT
from libs.migrations import migrate


async def create_database(postgres: EmbeddedPostgres, name: str) -> ServiceUrls:
    """An empty one."""
    passwords = ServicePasswords(*(secrets.token_hex(16) for _ in range(3)))
    urls = await create_service_databases(postgres.superuser_url(), {name: passwords})
    return urls[name]


async def create_service_database(postgres: EmbeddedPostgres, service: str) -> str:
    """A service's, migrated; returns where its own role finds it."""
    urls = await create_database(postgres, service)
    await migrate(urls.owner, CHECKOUT / "services" / service / "migrations")
    return urls.service
