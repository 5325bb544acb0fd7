"""Deliveries ride together: one INSERT for many, and nobody suffers for another."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from libs.database import Database, DatabaseUnavailableError
from services.billing_gateway.domain.values import EventState, Provider
from services.billing_gateway.operations.inserting import Inserting
from services.billing_gateway.ports import DeliveryRefusedError, Transmission
from services.billing_gateway.storage.inbox import Delivery
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.services import free_address
from tests.support.stack import now
from tests.support.waiting import eventually

COUNT_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def service_database(make_database: MakeDatabase) -> ServiceDatabase:
    """The gateway's, without a gateway."""
    return await make_database("billing_gateway")


@asynccontextmanager
async def inserting_into(url: str) -> AsyncIterator[tuple[Inserting, asyncio.Event]]:
    database = await Database.connect(SecretStr(url), 4, "test")
    woken = asyncio.Event()
    inserting = Inserting(database, woken.set)
    try:
        yield inserting, woken
    finally:
        await database.close()


def delivery(event_id: str, event_type: str = "told") -> Delivery:
    return Delivery(Provider.STRIPE, event_id, event_type, b"{}", EventState.RECEIVED, "")


def transmitted(transmission_id: str, event_id: str) -> Delivery:
    """Return a delivery whose body is its own."""
    digest = hashlib.sha256(event_id.encode()).digest()
    transmission = Transmission(transmission_id, digest, now() + timedelta(days=4))
    return replace(delivery(event_id), provider=Provider.PAYPAL, transmission=transmission)


async def stored_ids(database: ServiceDatabase) -> list[str]:
    connection = await asyncpg.connect(database.url)
    try:
        rows = await connection.fetch("SELECT event_id FROM webhook_events ORDER BY event_id")
    finally:
        await connection.close()
    return [row["event_id"] for row in rows]


async def execute(database: ServiceDatabase, statement: str) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_crowd_with_doubles_is_kept_once_and_all_are_told(
    service_database: ServiceDatabase,
) -> None:
    async with inserting_into(service_database.url) as (inserting, woken):
        await asyncio.gather(
            *(inserting.insert(delivery(f"evt_{number % 300:03}")) for number in range(1_000))
        )
        assert await stored_ids(service_database) == [f"evt_{number:03}" for number in range(300)]
        assert woken.is_set()
        woken.clear()

        await asyncio.gather(*(inserting.insert(delivery("evt_000")) for _ in range(10)))

        assert not woken.is_set()
    assert len(await stored_ids(service_database)) == 300


async def test_what_is_parked_or_dead_is_revived_among_what_is_new(
    service_database: ServiceDatabase,
) -> None:
    async with inserting_into(service_database.url) as (inserting, woken):
        await asyncio.gather(*(inserting.insert(delivery(f"evt_{each}")) for each in "1234"))
        await execute(
            service_database,
            "UPDATE webhook_events SET attempt_count = 20, state = (ARRAY['DONE', 'IGNORED', "
            "'PARKED', 'DEAD'])[right(event_id, 1)::int]",
        )
        woken.clear()

        await asyncio.gather(*(inserting.insert(delivery(f"evt_{each}")) for each in "12345"))

        assert woken.is_set()
        connection = await asyncpg.connect(service_database.url)
        rows = await connection.fetch(
            "SELECT state, attempt_count FROM webhook_events ORDER BY event_id"
        )
        await connection.close()
    assert [tuple(row) for row in rows] == [
        ("DONE", 20),
        ("IGNORED", 20),
        ("RECEIVED", 0),
        ("RECEIVED", 0),
        ("RECEIVED", 0),
    ]


async def test_a_database_that_is_away_is_told_to_every_rider() -> None:
    url = f"postgresql://nobody@{free_address()}/nothing"
    async with inserting_into(url) as (inserting, woken):
        told = await asyncio.gather(
            *(inserting.insert(delivery(f"evt_{number}")) for number in range(50)),
            return_exceptions=True,
        )
    assert {type(each) for each in told} == {DatabaseUnavailableError}
    assert not woken.is_set()


async def test_who_hangs_up_takes_nobody_along(service_database: ServiceDatabase) -> None:
    async with inserting_into(service_database.url) as (inserting, _):
        riders = [
            asyncio.create_task(inserting.insert(delivery(f"evt_{number}"))) for number in range(9)
        ]
        await asyncio.sleep(0)
        for rider in riders[::2]:
            rider.cancel()
        await asyncio.gather(*riders[1::2])
        # Still at work.
        await inserting.insert(delivery("evt_after"))
    kept = await stored_ids(service_database)
    assert {"evt_1", "evt_3", "evt_5", "evt_7", "evt_after"} <= set(kept)


async def test_one_that_cannot_be_stored_does_not_fail_the_others(
    service_database: ServiceDatabase,
) -> None:
    async with inserting_into(service_database.url) as (inserting, _):
        told = await asyncio.gather(
            inserting.insert(delivery("evt_1")),
            inserting.insert(delivery("evt_2", event_type="with a \0")),
            inserting.insert(delivery("evt_3")),
            return_exceptions=True,
        )
    assert [each is None for each in told] == [True, False, True]
    assert await stored_ids(service_database) == ["evt_1", "evt_3"]


async def test_what_cannot_be_stored_leaves_its_transmission_to_others(
    service_database: ServiceDatabase,
) -> None:
    async with inserting_into(service_database.url) as (inserting, _):
        with pytest.raises(Exception, match="0x00"):
            await inserting.insert(replace(transmitted("T-1", "WH-1"), event_type="with a \0"))
        await inserting.insert(transmitted("T-1", "WH-2"))
    assert await stored_ids(service_database) == ["WH-2"]


async def test_a_transmission_stands_for_its_first_body(service_database: ServiceDatabase) -> None:
    async with inserting_into(service_database.url) as (inserting, woken):
        first, other = transmitted("T-1", "WH-1"), transmitted("T-1", "WH-2")
        await inserting.insert(first)
        woken.clear()
        told = await asyncio.gather(
            *map(inserting.insert, (other, first, delivery("evt_1"), transmitted("T-2", "WH-2"))),
            return_exceptions=True,
        )
        assert list(map(type, told)) == [DeliveryRefusedError, *[type(None)] * 3]
        assert woken.is_set()
        woken.clear()
        with pytest.raises(DeliveryRefusedError):
            await inserting.insert(other)
        assert not woken.is_set()
    assert await stored_ids(service_database) == ["WH-1", "WH-2", "evt_1"]


async def test_of_two_bodies_under_one_transmission_exactly_one_is_kept(
    service_database: ServiceDatabase,
) -> None:
    """In one batch and in two processes at once."""
    ids = [f"T-{number:03}" for number in range(100)]
    url = service_database.url
    async with inserting_into(url) as (inserting, _), inserting_into(url) as (other, _):

        async def race(transmission_id: str) -> list[str]:
            riders = [
                (each, f"{transmission_id}/{body}")
                for body, each in enumerate((inserting, inserting, other, other))
            ]
            told = await asyncio.gather(
                *(each.insert(transmitted(transmission_id, event_id)) for each, event_id in riders),
                return_exceptions=True,
            )
            assert {type(each) for each in told} == {type(None), DeliveryRefusedError}
            return [
                event_id for (_, event_id), error in zip(riders, told, strict=True) if error is None
            ]

        kept = await asyncio.gather(*map(race, ids))
    assert list(map(len, kept)) == [1] * len(ids)
    assert await stored_ids(service_database) == [event_id for [event_id] in kept]


@pytest.mark.parametrize(("end", "kept"), [("COMMIT", []), ("ROLLBACK", ["WH-2"])])
async def test_who_comes_second_waits_for_what_becomes_of_the_first(
    service_database: ServiceDatabase, end: str, kept: list[str]
) -> None:
    elsewhere, watching = [await asyncpg.connect(service_database.url) for _ in range(2)]
    await elsewhere.execute("BEGIN")
    await elsewhere.execute(
        "INSERT INTO transmissions VALUES ('PAYPAL', 'T-1', sha256('another'), now())"
    )
    async with inserting_into(service_database.url) as (inserting, _):
        second = asyncio.create_task(inserting.insert(transmitted("T-1", "WH-2")))
        await eventually(lambda: watching.fetchval(COUNT_WAITING), lambda count: count == 1)
        await elsewhere.execute(end)
        [told] = await asyncio.gather(second, return_exceptions=True)
    await elsewhere.close()
    await watching.close()
    assert isinstance(told, DeliveryRefusedError) is (not kept)
    assert await stored_ids(service_database) == kept
