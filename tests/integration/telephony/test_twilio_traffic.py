"""Lists of calls and messages through Twilio's library: bounded, and never taken on trust."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.telephony.ports import TwilioUnavailableError
from services.telephony.twilio_accounts import (
    BODY_BYTES_MAX,
    PAGE_TOKEN_LENGTH_MAX,
    TwilioRestAccounts,
)
from tests.integration.telephony.steps import ONE
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN

SID = f"SM{'a' * 32}"


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[TwilioRestAccounts]:
    """Open a Twilio that answers everything so."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        accounts = TwilioRestAccounts(
            parent_account_sid=TWILIO_SID,
            auth_token=TWILIO_TOKEN,
            api_base=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            timeout_seconds=5.0,
            registry=CollectorRegistry(),
        )
        try:
            yield accounts
        finally:
            await accounts.close()


def page(*messages: dict[str, Any], token: str | None = None) -> bytes:
    path = f"/2010-04-01/Accounts/{ONE}/Messages.json?PageToken={token}"
    return json.dumps({"messages": messages, "next_page_uri": token and path}).encode()


def message(status: str, *, days_ago: int = 0, sid: str = SID) -> dict[str, Any]:
    created = datetime.now(UTC) - timedelta(days=days_ago)
    return {"sid": sid, "status": status, "date_created": format_datetime(created)}


@pytest.mark.parametrize(
    ("body", "sids", "next_page"),
    [
        (page(message("scheduled"), message("sent"), token="PA1"), [SID], "PA1"),
        (page(message("sent"), token="PA1"), [], "PA1"),
        (page(message("sent", days_ago=35), token="PA1"), [], "PA1"),
        (page(message("sent", days_ago=40), token="PA1"), [], None),
        (page(token="PA1"), [], "PA1"),
        (page(), [], None),
    ],
)
async def test_messages_are_read_as_far_back_as_one_may_be_scheduled(
    body: bytes, sids: list[str], next_page: str | None
) -> None:
    async with answering(body) as accounts:
        found = await accounts.list_scheduled_messages(ONE, "")
    assert (found.message_sids, found.next_page) == (sids, next_page)


@pytest.mark.parametrize(
    "body",
    [
        page(message("scheduled", sid="../../Accounts")),
        page(message("scheduled"), token="P" * (PAGE_TOKEN_LENGTH_MAX + 1)),
        page({"sid": SID, "status": "scheduled", "date_created": 7}),
        b'{"messages": 7}',
        b"{}",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_list_that_makes_no_sense_is_no_answer(body: bytes) -> None:
    async with answering(body) as accounts:
        with pytest.raises(TwilioUnavailableError):
            await accounts.list_scheduled_messages(ONE, "")
        with pytest.raises(TwilioUnavailableError):
            await accounts.list_open_calls(ONE)


async def test_an_answer_that_is_too_long_is_not_read() -> None:
    long = {**message("sent"), "body": "x" * BODY_BYTES_MAX}
    async with answering(page(long)) as accounts:
        with pytest.raises(TwilioUnavailableError, match="too long"):
            await accounts.list_scheduled_messages(ONE, "")
