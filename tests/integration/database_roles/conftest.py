"""Each service's database, and its roles as anybody with their passwords has them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from dev.service_databases import SERVICES
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase

Connect = Callable[[str], Awaitable["asyncpg.Connection[Any]"]]


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    name: str = request.param
    return name


@pytest.fixture
async def database(service: str, make_database: MakeDatabase) -> ServiceDatabase:
    """The service's, migrated."""
    return await make_database(service)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connections that are closed in the end."""
    async with AsyncExitStack() as stack:

        async def connect(url: str) -> "asyncpg.Connection[Any]":
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
            return connection

        yield connect
