"""The table of announcements, without a service."""

from pydantic import SecretStr

from libs.announcing import storage
from libs.announcing.ports import CurrentLevel, LevelKey
from libs.announcing.storage import Line
from libs.database import Connection, Database
from tests.conftest import MakeDatabase


async def test_a_connection_that_marked_nothing_is_as_good_as_before(
    make_database: MakeDatabase,
) -> None:
    service_database = await make_database("billing_gateway")
    database = await Database.connect(SecretStr(service_database.url), 1, "test")

    async def list_due(connection: Connection) -> list[LevelKey]:
        return await storage.list_due(connection, Line("subscription", "wallet"), 1)

    await database.run(storage.mark, "subscription", [], ["wallet"], 1.0)
    # A snapshot can only be taken where no other one is.
    assert await database.read_snapshot(list_due) == []
    await database.close()


async def test_what_is_due_is_not_put_off_by_being_marked_again(
    make_database: MakeDatabase,
) -> None:
    service_database = await make_database("billing_gateway")
    database = await Database.connect(SecretStr(service_database.url), 1, "test")
    line, level = Line("subscription", "wallet"), CurrentLevel(LevelKey("org-1"), 1)

    for due_in_seconds in (0.0, 3600.0):
        await database.run(storage.mark, line.level, [level], [line.observer], due_in_seconds)

    assert await database.run(storage.list_due, line, 1) == [level.key]
    await database.close()
