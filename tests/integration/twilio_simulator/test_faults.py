"""What can go wrong at a simulated Twilio, and at the other simulated providers."""

import asyncio

import aiohttp
import pytest
from pydantic import ValidationError
from twilio.rest import Client

from dev.simulators.faults import (
    Cut,
    Fault,
    Hang,
    Latency,
    Load,
    LostAnswer,
    Overtaken,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.errors import refusal
from tests.integration.twilio_simulator.steps import (
    ONE,
    OTHER,
    PARENT,
    TOKEN,
    TOO_LATE_SECONDS,
    CheckedHttpClient,
    account,
    client_of,
    refusal_of,
)
from tests.support.waiting import eventually


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
        async with CheckedHttpClient(timeout=0.05) as http_client:
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


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (10001, 403),
        (20003, 401),
        (20005, 403),
        (20008, 403),
        (20404, 404),
        (20429, 429),
        (20500, 500),
        (21472, 400),
        *((code, 400) for code in range(21475, 21481)),
    ],
)
async def test_each_of_twilios_codes_comes_with_its_status(
    twilio: Client, simulator: TwilioSimulator, code: int, status: int
) -> None:
    simulator.fail(refusal(code), times=1)
    assert await refusal_of(account(twilio).update_async(status="suspended")) == (status, code)
    assert [(each.http_status, each.error_code) for each in simulator.requests] == [(status, code)]


class TestOperation:
    async def test_fails_alone(self, twilio: Client, simulator: TwilioSimulator) -> None:
        simulator.fail(Unavailable(), operation="update_account")
        assert (await account(twilio, ONE).fetch_async()).status == "active"
        for sid in (ONE, OTHER):
            assert await refusal_of(account(twilio, sid).update_async(status="active")) == (
                503,
                503,
            )
        simulator.heal(operation="update_account")
        assert (await account(twilio, ONE).update_async(status="active")).status == "active"

    async def test_of_one_account_fails_alone(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Unavailable(), ONE, operation="update_account")
        assert (await account(twilio, OTHER).update_async(status="active")).status == "active"
        assert (await account(twilio, ONE).fetch_async()).status == "active"
        assert await refusal_of(account(twilio, ONE).update_async(status="active")) == (503, 503)


async def test_a_cut_connection_changes_nothing_and_is_no_answer(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    simulator.fail(Cut(), times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await account(twilio).update_async(status="suspended")
    assert simulator.status(ONE) == "active"
    assert [each.http_status for each in simulator.requests] == [None]


class TestOvertaken:
    async def test_takes_effect_after_what_was_asked_later(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Overtaken(later=2), ONE, times=1)
        early = asyncio.ensure_future(account(twilio).update_async(status="active"))
        await simulator.wait_for_requests(1)
        await account(twilio, OTHER).update_async(status="active")
        assert (await account(twilio).update_async(status="suspended")).status == "suspended"
        assert not early.done()
        assert (await account(twilio).fetch_async()).status == "suspended"
        assert (await early).status == "active"
        assert simulator.status(ONE) == "active"

    async def test_takes_effect_though_nobody_waits_for_it(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        async def status_of_one() -> AccountStatus:
            return simulator.status(ONE)

        simulator.fail(Overtaken(), ONE, times=1)
        early = asyncio.ensure_future(account(twilio).update_async(status="suspended"))
        await simulator.wait_for_requests(1)
        early.cancel()
        await asyncio.wait([early])
        assert (await account(twilio).update_async(status="active")).status == "active"
        await eventually(status_of_one, AccountStatus.SUSPENDED.__eq__)

    async def test_takes_effect_in_time_where_nothing_is_asked_later(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Overtaken(milliseconds_max=20), times=1)
        assert (await account(twilio).update_async(status="suspended")).status == "suspended"

    async def test_ends_with_the_simulator(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.fail(Overtaken(), times=1)
        early = asyncio.ensure_future(account(twilio).update_async(status="suspended"))
        await simulator.wait_for_requests(1)
        await simulator.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await early
        assert simulator.status(ONE) == "active"


class TestLoad:
    async def test_makes_every_request_take_its_time(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.set_load(Load(milliseconds=50))
        simulator.fail(Unavailable(), times=1)
        started_at = asyncio.get_running_loop().time()
        assert await refusal_of(account(twilio).fetch_async()) == (503, 503)
        assert (await account(twilio).fetch_async()).status == "active"
        assert asyncio.get_running_loop().time() - started_at >= 0.1

    async def test_lets_the_others_wait(self, twilio: Client, simulator: TwilioSimulator) -> None:
        simulator.set_load(Load(milliseconds=50, at_once_max=2))
        started_at = asyncio.get_running_loop().time()
        await asyncio.gather(*(account(twilio).fetch_async() for _ in range(5)))
        assert asyncio.get_running_loop().time() - started_at >= 0.15

    async def test_refuses_the_others(self, twilio: Client, simulator: TwilioSimulator) -> None:
        simulator.set_load(Load(at_once_max=2, refuses_more=True))
        simulator.fail(Overtaken(later=1), ONE, times=1)
        simulator.fail(Overtaken(later=1), OTHER, times=1)
        inside = [asyncio.ensure_future(account(twilio, sid).fetch_async()) for sid in (ONE, OTHER)]
        await simulator.wait_for_requests(2)
        assert await refusal_of(account(twilio).fetch_async()) == (429, 20429)
        simulator.set_load(Load())
        for sid in (ONE, OTHER):
            await account(twilio, sid).fetch_async()
        assert [each.status for each in await asyncio.gather(*inside)] == ["active", "active"]
