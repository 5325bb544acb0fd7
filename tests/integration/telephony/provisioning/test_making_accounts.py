"""Making and listing accounts through Twilio's library: what it knows stays inside, read or not."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.simulators.faults import Echo, Fault, LostAnswer, Refusal, TooManyRequests, Unavailable
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.domain.provisioning import TwilioAccount
from services.telephony.domain.values import ObservedState
from services.telephony.ports import (
    TwilioBusyError,
    TwilioError,
    TwilioRefusedError,
    TwilioUnavailableError,
)
from services.telephony.twilio_accounts import TwilioRestAccounts
from tests.integration.telephony.steps import ONE
from tests.integration.telephony.test_twilio_accounts import open_accounts

SECRET = "5ecre7"
NAME = "Acme Ltd 0123456789abcdef"
CALLS = ["create_account", "list_accounts"]


@pytest.fixture
async def accounts(twilio: TwilioSimulator) -> AsyncIterator[TwilioRestAccounts]:
    """The adapter."""
    accounts = open_accounts(twilio.base_url)
    yield accounts
    await accounts.close()


def ask(accounts: TwilioRestAccounts, call: str) -> Awaitable[Any]:
    asked: Awaitable[Any] = getattr(accounts, call)(NAME)
    return asked


async def test_what_is_made_is_listed_by_its_name(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator
) -> None:
    assert await accounts.list_accounts(NAME) == []
    made = [await accounts.create_account(NAME) for _ in range(3)]
    await accounts.create_account(f"{NAME} ")
    twilio.set_status(made[1].account_sid, AccountStatus.CLOSED)
    listed = await accounts.list_accounts(NAME)
    states = {each.account_sid: each.state for each in listed}
    assert states == {
        made[0].account_sid: ObservedState.ACTIVE,
        made[1].account_sid: ObservedState.CLOSED,
        made[2].account_sid: ObservedState.ACTIVE,
    }
    assert {each.friendly_name for each in listed} == {NAME}
    assert datetime.now(UTC) - made[0].create_time < timedelta(minutes=1)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Unavailable(), TwilioUnavailableError),
        (LostAnswer(), TwilioUnavailableError),
        (Refusal("20500", 500), TwilioUnavailableError),
        (TooManyRequests(), TwilioBusyError),
        (Refusal("20003", 401), TwilioRefusedError),
        (Refusal("21480", 400), TwilioRefusedError),
    ],
    ids=repr,
)
async def test_every_failure_has_its_error_and_nothing_is_made_twice(
    accounts: TwilioRestAccounts,
    twilio: TwilioSimulator,
    call: str,
    fault: Fault,
    expected: type[TwilioError],
) -> None:
    twilio.fail(fault)
    with pytest.raises(expected) as failed:
        await ask(accounts, call)
    if isinstance(fault, Refusal) and isinstance(failed.value, TwilioRefusedError):
        assert failed.value.failure.code == int(fault.code)
    # A list whose connection closes is asked for again by aiohttp; that makes nothing.
    assert call == "list_accounts" or len(twilio.requests) == 1


@pytest.mark.parametrize("call", CALLS)
async def test_a_refusal_that_quotes_the_credentials_is_told_without_them(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator, call: str
) -> None:
    twilio.fail(Echo(400))
    with pytest.raises(TwilioRefusedError, match=r"is set: Basic … \("):
        await ask(accounts, call)


def account(**changed: object) -> dict[str, object]:
    """An account as Twilio tells it, but for what is changed."""
    told: dict[str, object] = {
        "sid": ONE,
        "status": "active",
        "friendly_name": NAME,
        "date_created": "Wed, 25 Nov 2026 10:00:00 +0000",
        "auth_token": SECRET,
    }
    return {**told, **changed}


STRANGE_ACCOUNTS = [
    account(sid=None),
    account(sid="AC1"),
    account(sid=SECRET),
    account(status="dormant"),
    account(date_created=SECRET),
    account(date_created=7),
    account(date_created="Wed, 45 Nov 2026 10:00:00 +0000"),
]
STRANGE_ANSWERS = [
    *({**each, "accounts": [each]} for each in STRANGE_ACCOUNTS),
    {"auth_token": SECRET},
    {"accounts": SECRET, "sid": []},
    {"accounts": [SECRET]},
    {"accounts": [account()], "more": SECRET, "message": "Authenticate"},
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [200, 302, 400])
@pytest.mark.parametrize("body", STRANGE_ANSWERS, ids=lambda body: str(body)[:40])
async def test_what_cannot_be_read_is_an_error_without_what_was_read(
    call: str, status: int, body: dict[str, object]
) -> None:
    async with answering(status, json.dumps(body).encode()) as api_base:
        accounts = open_accounts(api_base)
        with pytest.raises(TwilioError) as failed:
            await ask(accounts, call)
        await accounts.close()
    assert SECRET not in "".join(traceback.format_exception(failed.value))
    assert SECRET not in repr(failed.value)


async def test_a_list_is_followed_over_its_pages_but_not_for_ever() -> None:
    page = {"accounts": [account()], "next_page_uri": "/2010-04-01/Accounts.json?Page=1"}
    async with answering(200, json.dumps(page).encode()) as api_base:
        accounts = open_accounts(api_base)
        listed = await accounts.list_accounts(NAME)
        await accounts.close()
    created = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    assert set(listed) == {TwilioAccount(ONE, NAME, ObservedState.ACTIVE, created)}
    assert len(listed) == 50


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """Answer everything alike."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
