"""Certificates that PayPal signed with outlive a restart: a few, in all processes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from libs.database import Connection, Database, DatabaseUnavailableError
from services.billing_gateway.operations.certificates import RememberedCertificates
from services.billing_gateway.storage.certificates import KEPT_MAX
from tests.conftest import MakeDatabase
from tests.support.services import free_address


@pytest.fixture
async def database(make_database: MakeDatabase) -> AsyncIterator[Database]:
    """The gateway's way to its database."""
    made = await make_database("billing_gateway")
    database = await Database.connect(SecretStr(made.url), 2, "test")
    yield database
    await database.close()


async def count_rows(connection: Connection) -> int:
    count = await connection.fetchval("SELECT count(*) FROM signing_certificates")
    assert isinstance(count, int)
    return count


async def test_what_one_process_remembers_all_recall_and_only_the_newest(
    database: Database,
) -> None:
    woken = asyncio.Event()
    certificates = RememberedCertificates(database, woken.set)
    for number in range(KEPT_MAX + 2):
        certificates.remember(f"https://{number}", b"pem")
        assert woken.is_set()
        assert await certificates.exchange() is False
    certificates.remember("https://2", b"renewed")
    await certificates.exchange()
    woken.clear()
    certificates.remember("https://2", b"renewed")
    assert not woken.is_set()

    for process in (certificates, RememberedCertificates(database, woken.set)):
        await process.exchange()
        recalled = [process.recall(f"https://{number}") for number in range(KEPT_MAX + 2)]
        assert recalled == [None, None, b"renewed", *[b"pem"] * (KEPT_MAX - 1)]
    assert await database.run(count_rows) == KEPT_MAX


async def test_without_the_database_nothing_is_forgotten() -> None:
    url = SecretStr(f"postgresql://nobody@{free_address()}/nothing")
    database = await Database.connect(url, 1, "test")
    certificates = RememberedCertificates(database, asyncio.Event().set)
    certificates.remember("https://1", b"pem")
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError):
            await certificates.exchange()
        assert certificates.recall("https://1") == b"pem"
    await database.close()
