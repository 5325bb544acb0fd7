"""A simulated Twilio's switches and memory over HTTP."""

import asyncio

import aiohttp
import pytest
from twilio.rest import Client

from dev.simulators.faults import (
    Cut,
    Fault,
    Hang,
    Latency,
    LostAnswer,
    Overtaken,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from tests.integration.twilio_simulator.conftest import ManualClock
from tests.integration.twilio_simulator.steps import ONE, OTHER, PARENT, account, refusal_of


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
    assert [each.http_status for each in simulator.requests] == [503, 200]


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

    async def test_lets_twilio_itself_suspend(
        self, web: aiohttp.ClientSession, twilio: Client
    ) -> None:
        change = {"status": "suspended", "by_twilio": True}
        async with web.put(f"/_simulator/accounts/{ONE}", json=change) as response:
            assert response.status == 200
        update = account(twilio, ONE).update_async(status="active")
        assert await refusal_of(update) == (400, 21478)

    async def test_sets_the_rules(self, web: aiohttp.ClientSession, twilio: Client) -> None:
        rules = {"any_subaccount_exists": False, "subaccounts_max": 1}
        async with web.put("/_simulator/rules", json=rules) as response:
            assert await response.json() == {**rules, "updates_while_suspended": True}
        assert await refusal_of(account(twilio, ONE).fetch_async()) == (404, 20404)
        async with web.put("/_simulator/rules", json={}):
            assert (await account(twilio, ONE).fetch_async()).status == "active"

    async def test_sets_the_load(self, web: aiohttp.ClientSession, twilio: Client) -> None:
        load = {"milliseconds": 20, "at_once_max": 1, "refuses_more": False}
        async with web.put("/_simulator/load", json=load) as response:
            assert await response.json() == load
        started_at = asyncio.get_running_loop().time()
        await asyncio.gather(*(account(twilio, ONE).fetch_async() for _ in range(3)))
        assert asyncio.get_running_loop().time() - started_at >= 0.06

    async def test_tells_its_switches(self, web: aiohttp.ClientSession) -> None:
        async with web.get("/_simulator") as response:
            told = await response.json()
        assert told.keys() >= {
            f"{call.replace('/', '/_simulator/', 1)}"
            for call in ("POST /faults", "PUT /load", "PUT /clock", "PUT /rules")
        }
        assert "PUT /_simulator/accounts/{sid}" in told
        kinds = told["POST /_simulator/faults"]["body"]["properties"]["fault"]["discriminator"]
        assert kinds["mapping"].keys() >= {"overtaken", "cut", "lost_answer"}

    async def test_lists_the_requests(self, web: aiohttp.ClientSession, twilio: Client) -> None:
        await account(twilio, ONE).update_async(status="suspended")
        async with web.get("/_simulator/requests") as response:
            assert await response.json() == [
                {
                    "method": "POST",
                    "operation": "update_account",
                    "sid": ONE,
                    "resource_sid": "",
                    "asked_by": PARENT,
                    "asked": {"Status": "suspended"},
                    "received_at": "2026-11-20T08:30:00Z",
                    "answered_at": "2026-11-20T08:30:00Z",
                    "http_status": 200,
                    "error_code": None,
                }
            ]

    @pytest.mark.parametrize(
        "fault",
        [
            Unavailable(),
            TooManyRequests(retry_after_seconds=3),
            Hang(),
            Latency(milliseconds=20),
            Overtaken(later=2, milliseconds_max=20),
            Cut(),
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
