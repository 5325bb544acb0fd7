"""The services' databases: made where none is given, and migrated."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from dev.service_databases import (
    SERVICES,
    ServicePasswords,
    ServiceUrls,
    create_service_databases,
)
from dev.stack.errors import StackError
from dev.stack.settings import (
    CHECKOUT,
    database_setting,
    owner_database_setting,
    password_settings,
    services_without_database,
)
from libs.database_urls import require_database_url
from libs.migrations import MIGRATION_ERRORS, migrate

UNUSABLE: tuple[type[Exception], ...] = (*MIGRATION_ERRORS, ValueError)


async def make_databases(superuser_url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Makes those that are not given; returns them as settings."""
    passwords = {
        service: ServicePasswords(*(environment[name] for name in password_settings(service)))
        for service in services_without_database(environment)
    }
    try:
        urls = await create_service_databases(superuser_url, passwords)
    except UNUSABLE as error:
        raise StackError(f"The services' databases cannot be made: {error}") from error
    return _as_settings(urls)


async def migrate_databases(environment: Mapping[str, str]) -> None:
    """Brings every service's schema up to date."""
    owner_urls = {service: environment.get(owner_database_setting(service)) for service in SERVICES}
    missing = [owner_database_setting(service) for service in SERVICES if not owner_urls[service]]
    if missing:
        names = "\n".join(f"setting {name}: needed to migrate" for name in missing)
        raise StackError(names)
    await asyncio.gather(*(_migrate(service, url) for service, url in owner_urls.items() if url))


async def _migrate(service: str, owner_url: str) -> None:
    try:
        require_database_url(SecretStr(owner_url))
        await migrate(owner_url, _migrations_of(service))
    except UNUSABLE as error:
        raise StackError(f"The database of {service} cannot be migrated: {error}") from error


def _migrations_of(service: str) -> Path:
    return CHECKOUT / "services" / service / "migrations"


def _as_settings(urls: Mapping[str, ServiceUrls]) -> dict[str, str]:
    return {
        name: url
        for service, given in urls.items()
        for name, url in (
            (database_setting(service), given.service),
            (owner_database_setting(service), given.owner),
        )
    }
