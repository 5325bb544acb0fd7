"""Locks that somebody holds in a database, whom others wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import grpc

from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State
from tests.support.waiting import eventually, tick
from tollgate.operations.v1 import operations_pb2, operations_service_pb2
from tollgate.operations.v1.operations_service_pb2_grpc import OperationsServiceStub

LOCK = "SELECT FROM wallets WHERE organization_id = $1 FOR UPDATE"


async def long_transactions(site: Site) -> list[operations_pb2.LongTransaction]:
    """Return those of the wallet's database."""
    operations = OperationsServiceStub(site.channel("wallet"))
    request = operations_service_pb2.ListLongTransactionsRequest()
    return [*(await operations.ListLongTransactions(request)).transactions]


async def hold(site: Site, customer: Customer) -> "asyncpg.Connection[Any]":
    """Lock a wallet in psql, as a superuser, and go home."""
    connection = await asyncpg.connect(
        site.stack.databases["wallet"].superuser_url, server_settings={"application_name": "psql"}
    )
    await connection.execute("BEGIN")
    await connection.execute(LOCK, customer.organization_id)
    return connection


async def insist(site: Site, customer: Customer) -> None:
    """Let a sender try until it has paid for its message."""
    while True:
        with suppress(grpc.aio.AioRpcError):
            await site.spend(customer, 7_500)
            return
        await tick()


@asynccontextmanager
async def locked(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Two of them are forgotten; a sender waits for the one, and for the other nobody yet."""
    other = await site.open_customer("locked-too")
    first, second = await hold(site, customer), await hold(site, other)
    waiting = asyncio.ensure_future(insist(site, customer))
    log = site.logs / "tollgate.log"
    try:
        await eventually(lambda: long_transactions(site), lambda it: len(it) == 2)

        async def told() -> str:
            return log.read_text()

        await eventually(told, lambda it: '"event": "lock_timeout"' in it)
        yield Situation(words={"4711": str(second.get_server_pid())})
        await waiting
    finally:
        waiting.cancel()
        for connection in (first, second):
            await connection.close()


STATES = {
    "long-transaction": State(
        locked, finding="LONG_TRANSACTION", alert="LONG_TRANSACTION", is_double=True
    ),
}
