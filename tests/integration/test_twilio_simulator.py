"""The simulator is as true as Tollgate needs it, seen through Twilio's own library."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext

from dev.simulators.faults import (
    Fault,
    Hang,
    Latency,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from tests.support.waiting import eventually

CHECKOUT = Path(__file__).parents[2]

PARENT = "AC" + "0" * 32
ONE, OTHER = "AC" + "1" * 32, "AC" + "e" * 32
TOKEN = "token of the parent"
TOO_LATE_SECONDS = 10.0

DOCUMENTED_SUBRESOURCES = {
    "available_phone_numbers": "AvailablePhoneNumbers",
    "calls": "Calls",
    "conferences": "Conferences",
    "incoming_phone_numbers": "IncomingPhoneNumbers",
    "notifications": "Notifications",
    "outgoing_caller_ids": "OutgoingCallerIds",
    "recordings": "Recordings",
    "transcriptions": "Transcriptions",
    "addresses": "Addresses",
    "signing_keys": "SigningKeys",
    "connect_apps": "ConnectApps",
    "sip": "SIP",
    "authorized_connect_apps": "AuthorizedConnectApps",
    "usage": "Usage",
    "keys": "Keys",
    "applications": "Applications",
    "short_codes": "SMS/ShortCodes",
    "queues": "Queues",
    "messages": "Messages",
    "balance": "Balance",
}


class ImpatientHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # untyped
    """The library's own client never passes on the timeout that it was given."""

    async def request(self, *arguments: Any, **options: Any) -> Response:
        options["timeout"] = self.timeout
        return await super().request(*arguments, **options)


class ManualClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def simulator(clock: ManualClock) -> AsyncIterator[TwilioSimulator]:
    simulator = TwilioSimulator(PARENT, TOKEN, now=clock.now)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def twilio(simulator: TwilioSimulator) -> AsyncIterator[Client]:
    async with ImpatientHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
        yield client_of(simulator.base_url, http_client)


@pytest.fixture
async def web(simulator: TwilioSimulator) -> AsyncIterator[aiohttp.ClientSession]:
    authorization = {"Authorization": aiohttp.encode_basic_auth(PARENT, TOKEN)}
    async with aiohttp.ClientSession(simulator.base_url, headers=authorization) as session:
        yield session


def client_of(base_url: str, http_client: AsyncTwilioHttpClient, token: str = TOKEN) -> Client:
    # An empty environment would be taken for none, and TWILIO_REGION would rewrite the host.
    client = Client(PARENT, token, http_client=http_client, environment={"TWILIO_REGION": ""})
    client.api.base_url = base_url
    return client


def account(client: Client, sid: str) -> AccountContext:
    return client.api.v2010.accounts(sid)


async def refusal_of(call: Awaitable[object]) -> tuple[int, int | None]:
    """The HTTP status and Twilio's code."""
    with pytest.raises(TwilioRestException) as refused:
        await call
    return refused.value.status, refused.value.code


class TestAccount:
    async def test_is_active_at_first_sight(self, twilio: Client) -> None:
        fetched = await account(twilio, ONE).fetch_async()
        assert (fetched.sid, fetched.status) == (ONE, "active")
        assert (fetched.owner_account_sid, fetched.type) == (PARENT, "Full")
        assert fetched.auth_token
        again = await account(twilio, ONE).fetch_async()
        assert again.auth_token == fetched.auth_token
        other = await account(twilio, OTHER).fetch_async()
        assert other.auth_token != fetched.auth_token

    async def test_stays_as_it_was_told(
        self, twilio: Client, simulator: TwilioSimulator, clock: ManualClock
    ) -> None:
        created_at = clock.time
        await account(twilio, ONE).fetch_async()
        clock.time += timedelta(hours=1)
        updated = await account(twilio, ONE).update_async(status="suspended")
        clock.time += timedelta(hours=1)
        fetched = await account(twilio, ONE).fetch_async()
        assert updated.status == fetched.status == simulator.status(ONE) == "suspended"
        assert (fetched.date_created, fetched.date_updated) == (
            created_at,
            created_at + timedelta(hours=1),
        )
        assert simulator.status(OTHER) == "active"
        assert (await account(twilio, ONE).update_async(status="active")).status == "active"

    async def test_may_be_renamed(self, twilio: Client, simulator: TwilioSimulator) -> None:
        await account(twilio, ONE).update_async(status="suspended")
        await account(twilio, ONE).update_async(friendly_name="Ärzte & Söhne")
        assert (await account(twilio, ONE).fetch_async()).friendly_name == "Ärzte & Söhne"
        assert simulator.status(ONE) == "suspended"

    async def test_once_closed_stays_closed(self, twilio: Client) -> None:
        await account(twilio, ONE).update_async(status="closed")
        for status in ("active", "suspended"):
            reopening = account(twilio, ONE).update_async(status=status)
            assert await refusal_of(reopening) == (400, 21479)
        assert (await account(twilio, ONE).fetch_async()).status == "closed"

    async def test_takes_no_other_status(self, twilio: Client, simulator: TwilioSimulator) -> None:
        for status in ("paused", "", "ACTIVE"):
            assert await refusal_of(account(twilio, ONE).update_async(status=status)) == (
                400,
                21475,
            )
        assert simulator.status(ONE) == "active"

    async def test_of_the_parent_keeps_its_status(self, twilio: Client) -> None:
        update = account(twilio, PARENT).update_async(status="suspended")
        assert await refusal_of(update) == (400, 21477)
        fetched = await account(twilio, PARENT).fetch_async()
        assert (fetched.status, fetched.owner_account_sid) == ("active", PARENT)

    @pytest.mark.parametrize("sid", ["AC123", "AC" + "g" * 32, "AC" + "1" * 33, "PN" + "1" * 32])
    async def test_with_a_malformed_sid_is_not_found(self, twilio: Client, sid: str) -> None:
        assert await refusal_of(account(twilio, sid).fetch_async()) == (404, 20404)
        update = account(twilio, sid).update_async(status="suspended")
        assert await refusal_of(update) == (404, 20404)

    async def test_has_the_shape_that_twilio_documents(self, web: aiohttp.ClientSession) -> None:
        async with web.get(f"/2010-04-01/Accounts/{ONE}.json") as response:
            body = await response.json()
        assert re.fullmatch("[0-9a-f]{32}", body.pop("auth_token"))
        assert body.pop("subresource_uris") == {
            name: f"/2010-04-01/Accounts/{ONE}/{resource}.json"
            for name, resource in DOCUMENTED_SUBRESOURCES.items()
        }
        assert body == {
            "date_created": "Fri, 20 Nov 2026 08:30:00 +0000",
            "date_updated": "Fri, 20 Nov 2026 08:30:00 +0000",
            "friendly_name": "SubAccount Created at 2026-11-20 08:30",
            "owner_account_sid": PARENT,
            "sid": ONE,
            "status": "active",
            "type": "Full",
            "uri": f"/2010-04-01/Accounts/{ONE}.json",
        }


class TestErrors:
    async def test_have_twilios_shape(self, web: aiohttp.ClientSession) -> None:
        async with web.post(
            f"/2010-04-01/Accounts/{PARENT}.json", data={"Status": "x"}
        ) as response:
            assert response.status == 400
            assert await response.json() == {
                "code": 21475,
                "message": "Unable to update Status, invalid Status.",
                "more_info": "https://www.twilio.com/docs/errors/21475",
                "status": 400,
            }

    async def test_meet_whoever_is_not_the_parent(self, simulator: TwilioSimulator) -> None:
        async with ImpatientHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
            stranger = client_of(simulator.base_url, http_client, token="guessed")
            update = account(stranger, ONE).update_async(status="suspended")
            assert await refusal_of(update) == (401, 20003)
        async with (
            aiohttp.ClientSession(simulator.base_url) as nobody,
            nobody.get(f"/2010-04-01/Accounts/{ONE}.json") as response,
        ):
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert simulator.status(ONE) == "active"

    async def test_meet_resources_that_are_not_simulated(self, twilio: Client) -> None:
        call = account(twilio, ONE).messages("SM" + "1" * 32).fetch_async()
        assert await refusal_of(call) == (404, 20404)


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "refusal"),
        [
            (Unavailable(), (503, 503)),
            (TooManyRequests(), (429, 20429)),
            (Refusal("21478", 400), (400, 21478)),
        ],
    )
    async def test_that_refuse_change_nothing(
        self, twilio: Client, simulator: TwilioSimulator, fault: Fault, refusal: tuple[int, int]
    ) -> None:
        simulator.fail(fault)
        update = account(twilio, ONE).update_async(status="suspended")
        assert await refusal_of(update) == refusal
        assert simulator.status(ONE) == "active"

    async def test_of_a_proxy_speak_html(
        self, web: aiohttp.ClientSession, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Unavailable())
        async with web.get(f"/2010-04-01/Accounts/{ONE}.json") as response:
            assert response.content_type == "text/html"
            assert "<h1>503" in await response.text()

    @pytest.mark.parametrize(("seconds", "header"), [(None, None), (0, "0"), (7, "7")])
    async def test_may_say_when_to_retry(
        self,
        web: aiohttp.ClientSession,
        simulator: TwilioSimulator,
        seconds: int | None,
        header: str | None,
    ) -> None:
        simulator.fail(TooManyRequests(retry_after_seconds=seconds))
        async with web.get(f"/2010-04-01/Accounts/{ONE}.json") as response:
            assert (response.status, response.headers.get("Retry-After")) == (429, header)

    async def test_that_hang_never_answer(self, simulator: TwilioSimulator) -> None:
        simulator.fail(Hang())
        async with ImpatientHttpClient(timeout=0.05) as http_client:
            twilio = client_of(simulator.base_url, http_client)
            with pytest.raises(TimeoutError):
                await account(twilio, ONE).update_async(status="suspended")
        assert len(simulator.requests) == 1
        assert simulator.status(ONE) == "active"

    async def test_that_hang_end_with_the_simulator(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Hang(), sid=ONE)
        simulator.fail(Latency(milliseconds=3_600_000), sid=OTHER)
        calls = [
            asyncio.ensure_future(account(twilio, sid).update_async(status="suspended"))
            for sid in (ONE, OTHER)
        ]
        await simulator.wait_for_requests(2)
        async with asyncio.timeout(TOO_LATE_SECONDS / 2):
            await simulator.stop()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, aiohttp.ClientConnectionError) for outcome in outcomes)
        assert simulator.status(ONE) == simulator.status(OTHER) == "active"

    async def test_of_latency_answer_later(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Latency(milliseconds=50))
        started_at = asyncio.get_running_loop().time()
        await account(twilio, ONE).update_async(status="suspended")
        assert asyncio.get_running_loop().time() - started_at >= 0.05
        assert simulator.status(ONE) == "suspended"

    async def test_of_latency_outlast_the_caller(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        async def status_of_one() -> AccountStatus:
            return simulator.status(ONE)

        simulator.fail(Latency(milliseconds=100))
        call = asyncio.ensure_future(account(twilio, ONE).update_async(status="suspended"))
        await simulator.wait_for_requests(1)
        call.cancel()
        await asyncio.wait([call])
        assert simulator.status(ONE) == "active"
        await eventually(status_of_one, AccountStatus.SUSPENDED.__eq__)

    async def test_that_lose_the_answer_change_the_account(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(LostAnswer(), times=1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await account(twilio, ONE).update_async(status="suspended")
        assert (await account(twilio, ONE).fetch_async()).status == "suspended"

    async def test_come_in_the_order_in_which_they_were_set(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Unavailable(), times=2)
        simulator.fail(TooManyRequests(), times=1)
        refusals = [await refusal_of(account(twilio, ONE).fetch_async()) for _ in range(3)]
        assert refusals == [(503, 503), (503, 503), (429, 20429)]
        assert (await account(twilio, ONE).fetch_async()).status == "active"

    async def test_of_one_account_leave_the_others_alone(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Unavailable(), sid=ONE)
        assert (await account(twilio, OTHER).fetch_async()).status == "active"
        assert await refusal_of(account(twilio, ONE).fetch_async()) == (503, 503)

    async def test_heal(self, twilio: Client, simulator: TwilioSimulator) -> None:
        simulator.fail(Unavailable(), sid=ONE)
        simulator.fail(TooManyRequests())
        simulator.heal(ONE)
        assert await refusal_of(account(twilio, ONE).fetch_async()) == (429, 20429)
        simulator.heal()
        assert (await account(twilio, ONE).fetch_async()).status == "active"

    def test_happen_at_least_once(self) -> None:
        with pytest.raises(ValidationError):
            TwilioSimulator(PARENT, TOKEN).fail(Unavailable(), times=0)


async def test_requests_are_remembered_whatever_became_of_them(
    twilio: Client, simulator: TwilioSimulator, clock: ManualClock
) -> None:
    simulator.fail(Unavailable(), times=1)
    await refusal_of(account(twilio, ONE).update_async(status="suspended"))
    await account(twilio, OTHER).fetch_async()
    assert [(each.method, each.sid, each.status_asked) for each in simulator.requests] == [
        ("POST", ONE, "suspended"),
        ("GET", OTHER, None),
    ]
    assert {each.received_at for each in simulator.requests} == {clock.time}


class TestControl:
    async def test_changes_an_account_behind_the_api(
        self, web: aiohttp.ClientSession, twilio: Client
    ) -> None:
        path = f"/_simulator/accounts/{ONE}"
        for status in ("closed", "active", "suspended"):
            async with web.put(path, json={"status": status}) as response:
                assert response.status == 200
            assert (await account(twilio, ONE).fetch_async()).status == status
        async with web.get(path) as response:
            shown = await response.json()
        assert shown.keys() == {"sid", "status", "friendly_name"}
        assert (shown["sid"], shown["status"]) == (ONE, "suspended")

    async def test_lists_the_requests(self, web: aiohttp.ClientSession, twilio: Client) -> None:
        await account(twilio, ONE).update_async(status="suspended")
        async with web.get("/_simulator/requests") as response:
            assert await response.json() == [
                {
                    "method": "POST",
                    "sid": ONE,
                    "status_asked": "suspended",
                    "received_at": "2026-11-20T08:30:00Z",
                }
            ]

    @pytest.mark.parametrize(
        "fault",
        [
            Unavailable(),
            TooManyRequests(retry_after_seconds=3),
            Hang(),
            Latency(milliseconds=20),
            LostAnswer(),
            Refusal("21476", 400),
        ],
        ids=lambda fault: fault.kind,
    )
    async def test_knows_every_fault(self, web: aiohttp.ClientSession, fault: Fault) -> None:
        switch = {"fault": vars_of(fault), "call": ONE, "times": 2}
        async with web.post("/_simulator/faults", json=switch) as response:
            assert response.status == 200
        async with web.get("/_simulator/faults") as response:
            assert await response.json() == [switch]
        async with web.delete("/_simulator/faults", params={"call": OTHER}) as response:
            assert await response.json() == [switch]
        async with web.delete("/_simulator/faults") as response:
            assert await response.json() == []

    async def test_sets_faults_that_bite(self, web: aiohttp.ClientSession, twilio: Client) -> None:
        switch = {"fault": {"kind": "refusal", "code": "21476", "status": 400}, "times": 1}
        async with web.post("/_simulator/faults", json=switch):
            update = account(twilio, ONE).update_async(status="suspended")
            assert await refusal_of(update) == (400, 21476)
        assert (await account(twilio, ONE).fetch_async()).status == "active"

    @pytest.mark.parametrize(
        "body",
        [
            b"not JSON",
            b"{}",
            b'{"fault": {"kind": "earthquake"}}',
            b'{"fault": {"kind": "latency"}}',
            b'{"fault": {"kind": "latency", "milliseconds": -1}}',
            b'{"fault": {"kind": "refusal", "code": "1", "status": 200}}',
            b'{"fault": {"kind": "hang"}, "times": 0}',
        ],
    )
    async def test_refuses_what_it_does_not_understand(
        self, web: aiohttp.ClientSession, body: bytes
    ) -> None:
        async with web.post("/_simulator/faults", data=body) as response:
            assert response.status == 400
            assert (await response.json())["error"]
        async with web.get("/_simulator/faults") as response:
            assert await response.json() == []

    async def test_refuses_a_status_or_sid_that_cannot_be(
        self, web: aiohttp.ClientSession, simulator: TwilioSimulator
    ) -> None:
        async with web.put(f"/_simulator/accounts/{ONE}", json={"status": "paused"}) as response:
            assert response.status == 400
        async with web.get("/_simulator/accounts/AC123") as response:
            assert response.status == 400
        assert simulator.status(ONE) == "active"

    async def test_forgets_everything_on_reset(
        self, web: aiohttp.ClientSession, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        await account(twilio, ONE).update_async(status="closed")
        simulator.fail(Unavailable())
        async with web.post("/_simulator/reset") as response:
            assert response.status == 204
        assert simulator.requests == []
        assert (await account(twilio, ONE).fetch_async()).status == "active"


def vars_of(fault: Fault) -> dict[str, object]:
    return {name: value for name, value in vars(fault).items() if not name.startswith("__")}


class TestStateFile:
    async def test_keeps_the_accounts_between_runs(
        self, tmp_path: Path, clock: ManualClock
    ) -> None:
        file = tmp_path / "made" / "twilio.json"
        first = TwilioSimulator(PARENT, TOKEN, file, clock.now)
        first.set_status(ONE, AccountStatus.SUSPENDED)
        first.fail(Unavailable())
        assert first.status(OTHER) == "active"
        await first.stop()
        second = TwilioSimulator(PARENT, TOKEN, file, clock.now)
        assert second.status(ONE) == "suspended"
        assert file.stat().st_mode & 0o777 == 0o600
        assert list(file.parent.iterdir()) == [file]
        second.reset()
        await second.stop()
        assert TwilioSimulator(PARENT, TOKEN, file).status(ONE) == "active"

    def test_that_is_broken_is_not_taken_for_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "twilio.json").write_text('[{"sid": "AC')
        with pytest.raises(ValidationError):
            TwilioSimulator(PARENT, TOKEN, tmp_path / "twilio.json")


class TestProgram:
    async def test_remembers_what_it_was_told_before_it_was_stopped(self, tmp_path: Path) -> None:
        for fetched, asked in (("active", "suspended"), ("suspended", "active")):
            process = await program("--port", "0", "--state-file", str(tmp_path / "state.json"))
            assert process.stdout is not None
            base_url = (await process.stdout.readline()).decode().split()[-1]
            async with ImpatientHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
                twilio = client_of(base_url, http_client)
                assert (await account(twilio, ONE).fetch_async()).status == fetched
                await account(twilio, ONE).update_async(status=asked)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0

    async def test_wants_its_token_from_the_environment(self) -> None:
        process = await program("--port", "0", token="")
        assert process.stdout is not None
        output = await process.stdout.read()
        assert await process.wait() == 1
        assert b"TWILIO_AUTH_TOKEN is not set" in output


async def program(*arguments: str, token: str = TOKEN) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.simulators.twilio", "--account-sid", PARENT, *arguments),
        cwd=CHECKOUT,
        env={**os.environ, "TWILIO_AUTH_TOKEN": token},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
