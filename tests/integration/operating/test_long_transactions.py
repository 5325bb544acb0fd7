"""Transactions that hold up others: which are told of, and which can be ended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import grpc
import pytest

from services.wallet.app import build
from tests.conftest import MakeDatabase
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.requests import credit, debit, open_wallet
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.operations.v1 import operations_pb2, operations_service_pb2
from tollgate.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

LOCK_ROW = "SELECT FROM wallets WHERE organization_id = 'org-1' FOR UPDATE"
READ_ALL = "SELECT count(*) FROM wallets"
# Nobody else sees it, and so nobody can wait for it.
OWN_TABLE = "CREATE TEMPORARY TABLE mine (); COMMIT; BEGIN; INSERT INTO mine DEFAULT VALUES"
Begin = Callable[..., Awaitable["asyncpg.Connection[Any]"]]


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """The wallet's."""
    return await make_database("wallet")


@pytest.fixture
async def channel(database: ServiceDatabase) -> AsyncIterator[grpc.aio.Channel]:
    """To a wallet that has one organization with money."""
    async with running(await build(wallet_settings(database))) as channel:
        wallet = WalletServiceStub(channel)
        await open_wallet(wallet, "org-1")
        await wallet.Credit(credit(1_000, "in", "org-1"))
        yield channel


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Sessions as psql has them, each in a transaction that has done something."""
    async with AsyncExitStack() as stack:

        async def begin(url: str, *statements: str) -> "asyncpg.Connection[Any]":
            settings = {"application_name": "psql"}
            connection = await asyncpg.connect(url, server_settings=settings)
            stack.push_async_callback(connection.close)
            for statement in ("BEGIN", *statements):
                await connection.execute(statement)
            return connection

        yield begin


async def listed(operations: OperationsServiceStub) -> list[operations_pb2.LongTransaction]:
    request = operations_service_pb2.ListLongTransactionsRequest()
    return [*(await operations.ListLongTransactions(request)).transactions]


def ending(session: "asyncpg.Connection[Any]") -> operations_service_pb2.EndLongTransactionRequest:
    return operations_service_pb2.EndLongTransactionRequest(
        process_id=session.get_server_pid(), note="forgotten", actor="ann"
    )


async def actions_of(
    operations: OperationsServiceStub,
) -> list[operations_pb2.OperatorAction]:
    request = operations_service_pb2.ListOperatorActionsRequest()
    return [*(await operations.ListOperatorActions(request)).actions]


async def test_who_holds_up_others_is_told_of_and_ended_and_nobody_else(
    channel: grpc.aio.Channel, database: ServiceDatabase, make_database: MakeDatabase, begin: Begin
) -> None:
    operations, url = OperationsServiceStub(channel), database.superuser_url
    # A copy of the same template: its tables have the same numbers.
    another = await make_database("wallet")
    innocent = {
        "one that reads": await begin(url, READ_ALL),
        "one with a table of its own": await begin(url, OWN_TABLE),
        "one of another database": await begin(another.superuser_url, "LOCK TABLE wallets"),
    }
    holder = await begin(url, LOCK_ROW)
    waiting = asyncio.ensure_future((await begin(url)).execute(LOCK_ROW))
    found = await eventually(lambda: listed(operations), lambda it: len(it) == 2)
    # It waits for a row, and so has a lock of the table as well.
    assert [each.waiting_count for each in found] == [1, 0]
    assert found[0].process_id == holder.get_server_pid()
    assert (found[0].role, found[0].application_name) == ("postgres", "psql")
    assert found[0].state == "idle in transaction"
    young = await begin(url, "SELECT FROM wallets WHERE organization_id = 'org-2' FOR UPDATE")
    for name, session in {"one that has only just begun": young, **innocent}.items():
        answer = await refusal(operations.EndLongTransaction(ending(session)))
        assert answer.reason == "INVALID_STATE", name
        await session.execute("SELECT 1")
    assert await actions_of(operations) == []

    ended = await operations.EndLongTransaction(ending(holder))

    assert ended.transaction.process_id == holder.get_server_pid()
    assert await waiting == "SELECT 1"
    assert (await refusal(operations.EndLongTransaction(ending(holder)))).reason == "INVALID_STATE"
    [action] = await actions_of(operations)
    assert (action.action, action.actor, action.note) == ("EndLongTransaction", "ann", "forgotten")
    assert action.reference == str(holder.get_server_pid())


async def test_who_hangs_up_while_a_session_ends_is_written_down_all_the_same(
    channel: grpc.aio.Channel, database: ServiceDatabase, begin: Begin
) -> None:
    operations = OperationsServiceStub(channel)
    holder = await begin(database.superuser_url, LOCK_ROW)
    await eventually(lambda: listed(operations), bool)
    process_id = holder.get_server_pid()
    # It hears that it is to end, and does not for as long as the caller waits.
    os.kill(process_id, signal.SIGSTOP)
    try:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await operations.EndLongTransaction(ending(holder), timeout=0.5)
    finally:
        os.kill(process_id, signal.SIGCONT)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: listed(operations), lambda it: not it)
    [action] = await actions_of(operations)
    assert (action.actor, action.reference) == ("ann", str(process_id))


async def test_a_database_that_was_set_up_before_says_so_and_serves(
    channel: grpc.aio.Channel, database: ServiceDatabase
) -> None:
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute("DROP FUNCTION list_long_transactions(), end_long_transaction(integer)")
    operations = OperationsServiceStub(channel)
    for call in (
        operations.ListLongTransactions(operations_service_pb2.ListLongTransactionsRequest()),
        operations.EndLongTransaction(
            operations_service_pb2.EndLongTransactionRequest(process_id=1, note="why")
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError, match=r"create_databases\.sh") as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert await actions_of(operations) == []
    await WalletServiceStub(channel).Debit(debit(1, "msg-1", "org-1"))
    await superuser.close()
