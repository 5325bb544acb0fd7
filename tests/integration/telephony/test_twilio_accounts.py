"""Twilio's own library behind the port: its traps are shut, and its secrets stay inside."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession, encode_basic_auth
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from dev.simulators.faults import (
    Cut,
    Echo,
    Fault,
    Hang,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.domain.values import ObservedState, WantedState
from services.telephony.ports import (
    TwilioBusyError,
    TwilioError,
    TwilioRefusedError,
    TwilioUnavailableError,
)
from services.telephony.twilio_accounts import STATUS_OF, TwilioRestAccounts
from tests.integration.telephony.steps import ONE, SUSPENDED, TelephonySteps
from tests.support.databases import ServiceDatabase
from tests.support.services import free_address
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN

TIMEOUT_SECONDS = 0.5


def open_accounts(
    api_base: str, auth_token: str = TWILIO_TOKEN, registry: CollectorRegistry | None = None
) -> TwilioRestAccounts:
    return TwilioRestAccounts(
        parent_account_sid=TWILIO_SID,
        auth_token=auth_token,
        api_base=api_base,
        timeout_seconds=TIMEOUT_SECONDS,
        registry=registry or CollectorRegistry(),
    )


@pytest.fixture
async def accounts(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TwilioRestAccounts]:
    """The adapter, in an environment that would lead the library astray."""
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    accounts = open_accounts(twilio.base_url)
    yield accounts
    await accounts.close()


async def test_a_state_is_set_and_seen(accounts: TwilioRestAccounts) -> None:
    assert await accounts.fetch_status(ONE) is ObservedState.ACTIVE
    suspended = await accounts.set_status(ONE, WantedState.SUSPENDED)
    assert suspended is ObservedState.SUSPENDED
    assert await accounts.fetch_status(ONE) is ObservedState.SUSPENDED
    assert await accounts.set_status(ONE, WantedState.ACTIVE) is ObservedState.ACTIVE


async def test_closed_is_seen_and_cannot_be_asked_for(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator
) -> None:
    twilio.set_status(ONE, AccountStatus.CLOSED)
    assert await accounts.fetch_status(ONE) is ObservedState.CLOSED
    assert set(STATUS_OF) == set(WantedState)
    assert "closed" not in STATUS_OF.values()


async def test_a_twilio_that_hangs_is_given_up_in_time(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator
) -> None:
    twilio.fail(Hang())
    start = time.monotonic()
    for call in (accounts.fetch_status(ONE), accounts.set_status(ONE, WantedState.ACTIVE)):
        with pytest.raises(TwilioUnavailableError, match="TimeoutError"):
            await call
    assert time.monotonic() - start < 2 * TIMEOUT_SECONDS + 0.5


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Unavailable(), TwilioUnavailableError),
        (LostAnswer(), TwilioUnavailableError),
        (Cut(), TwilioUnavailableError),
        (Refusal("20500", 500), TwilioUnavailableError),
        (TooManyRequests(), TwilioBusyError),
        (Refusal("21478", 400), TwilioRefusedError),
        (Refusal("20404", 404), TwilioRefusedError),
    ],
    ids=repr,
)
async def test_every_failure_has_its_error_and_nothing_is_sent_twice(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator, fault: Fault, expected: type[TwilioError]
) -> None:
    twilio.fail(fault)
    with pytest.raises(expected):
        await accounts.set_status(ONE, WantedState.SUSPENDED)
    assert len(twilio.requests) == 1


async def test_calls_are_counted_by_their_outcome(twilio: TwilioSimulator) -> None:
    registry = CollectorRegistry()
    accounts = open_accounts(twilio.base_url, registry=registry)
    await accounts.set_status(ONE, WantedState.SUSPENDED)
    twilio.fail(Unavailable(), times=1)
    with pytest.raises(TwilioUnavailableError):
        await accounts.set_status(ONE, WantedState.SUSPENDED)
    await accounts.close()
    for outcome in ("answered", "unavailable"):
        labels = {"call": "set_status", "outcome": outcome}
        assert registry.get_sample_value("tollgate_twilio_calls_total", labels) == 1


async def test_how_long_to_wait_is_passed_on(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator
) -> None:
    twilio.fail(TooManyRequests(retry_after_seconds=7))
    with pytest.raises(TwilioBusyError) as busy:
        await accounts.fetch_status(ONE)
    assert busy.value.failure.retry_after_seconds == 7


async def test_wrong_credentials_are_a_refusal(twilio: TwilioSimulator) -> None:
    accounts = open_accounts(twilio.base_url, auth_token="wrong")
    with pytest.raises(TwilioRefusedError) as refused:
        await accounts.fetch_status(ONE)
    await accounts.close()
    assert refused.value.failure.code == 20003


async def test_a_refusal_that_quotes_the_credentials_is_told_without_them(
    accounts: TwilioRestAccounts, twilio: TwilioSimulator
) -> None:
    twilio.fail(Echo(400))
    with pytest.raises(TwilioRefusedError, match=r"is set: Basic … \("):
        await accounts.fetch_status(ONE)


async def test_nobody_there_is_unavailable() -> None:
    accounts = open_accounts(f"http://{free_address()}")
    with pytest.raises(TwilioUnavailableError):
        await accounts.fetch_status(ONE)
    await accounts.close()


STRANGE_ANSWERS = [
    b"",
    b"null",
    b"[]",
    b"\xff\xfe",
    b"<html>",
    b"[" * 100_000,
    b'{"status": "active"}',
    json.dumps({"sid": TWILIO_SID, "status": "active"}).encode(),
    json.dumps({"sid": ONE, "status": "dormant"}).encode(),
    b'{"code": 20404, "message": "a\\u0000b\\ud800"}',
    json.dumps({"sid": ONE, "status": ["active"]}).encode(),
    json.dumps({"sid": ONE, "status": "active", "date_created": 7}).encode(),
]


@pytest.mark.parametrize("status", [200, 302, 400])
@pytest.mark.parametrize("body", STRANGE_ANSWERS, ids=lambda body: repr(body[:30]))
async def test_an_answer_that_makes_no_sense_is_an_error_of_the_port(
    status: int, body: bytes
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json; charset=hex\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        accounts = open_accounts(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(TwilioError) as caught:
            await accounts.fetch_status(ONE)
        assert "\0" not in str(caught.value)
        assert str(caught.value).encode()
        await accounts.close()


async def test_an_accounts_token_is_never_logged_stored_or_returned(
    steps: TelephonySteps,
    twilio: TwilioSimulator,
    database: ServiceDatabase,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = (await read_behind_tollgate(twilio))["auth_token"]
    with capture_logs() as logs:
        await steps.let_send(ONE)
        twilio.fail(LostAnswer(), times=1)
        twilio.fail(Refusal("21478", 400), times=2)
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED)
    connection = await asyncpg.connect(database.superuser_url)
    stored = [
        await connection.fetch("SELECT * FROM subaccounts"),
        await connection.fetch("SELECT * FROM subaccount_changes"),
    ]
    await connection.close()
    assert {each.get("action") for each in logs} >= {"RETRY", "OPERATOR"}
    for place in (str(await steps.get()), str(stored), str(logs), caplog.text):
        assert token not in place
        assert TWILIO_TOKEN not in place


async def read_behind_tollgate(twilio: TwilioSimulator) -> dict[str, Any]:
    headers = {"Authorization": encode_basic_auth(TWILIO_SID, TWILIO_TOKEN)}
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ONE}.json"
    async with ClientSession() as session, session.get(url, headers=headers) as answer:
        body: dict[str, Any] = await answer.json()
        return body
