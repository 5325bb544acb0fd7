"""What becomes of Stripe's failures: an end in time, one object at most, and no secret told."""

import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import stripe
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from dev.simulators.faults import Hang, Latency, LostAnswer, Refusal, TooManyRequests, Unavailable
from dev.simulators.stripe import StripeSimulator
from services.billing_gateway.ports import (
    ProviderError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from services.billing_gateway.stripe.http_client import ANSWER_LENGTH_MAX
from services.billing_gateway.stripe.provider import StripeProvider
from tests.integration.billing_gateway.stripe.asking import API_KEY, TOP_UP, provider_of
from tests.support.provider_calls import calls_counted
from tests.support.services import free_address

MAKE = "POST /v1/checkout/sessions"
DATE = {"Date": "Sun, 22 Nov 2026 12:00:00 GMT"}

Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def whole_text(error: BaseException) -> str:
    """All that a log could tell of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


async def test_a_lost_answer_is_asked_for_again_by_the_same_key(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    simulator.faults.set(LostAnswer(), MAKE, times=1)

    opened = await provider.create_top_up(TOP_UP)

    assert list(simulator.account.books.sessions) == [opened.checkout_id]
    assert [request.idempotency_key for request in simulator.requests] == [TOP_UP.intent_id] * 2


async def test_a_moment_of_failure_passes(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    simulator.faults.set(Unavailable(500), times=1)
    await provider.create_top_up(TOP_UP)
    assert len(simulator.requests) == 2


async def test_a_failure_that_lasts_is_told_and_leaves_the_outcome_open(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    simulator.faults.set(Unavailable(503))
    with pytest.raises(ProviderUnavailableError, match="HTTP 503 without a usable answer"):
        await provider.create_top_up(TOP_UP)
    assert len(simulator.requests) == 3


@pytest.mark.parametrize("fault", [Hang(), Latency(60_000)])
async def test_a_command_ends_in_time_however_often_it_is_asked(
    simulator: StripeSimulator, fault: Hang | Latency
) -> None:
    simulator.faults.set(fault)
    hasty = provider_of(simulator.base_url, timeout_seconds=0.1)
    with pytest.raises(ProviderUnavailableError, match="no answer in time"):
        await hasty.create_top_up(TOP_UP)
    await hasty.close()


async def test_a_call_that_hangs_is_given_up_and_made_again(simulator: StripeSimulator) -> None:
    simulator.faults.set(Hang(), times=1)
    patient = provider_of(simulator.base_url, timeout_seconds=2.0)
    await patient.create_top_up(TOP_UP)
    assert len(simulator.requests) == 2
    await patient.close()


async def test_a_crowd_is_asked_to_come_back(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    simulator.faults.set(TooManyRequests())
    with pytest.raises(ProviderUnavailableError, match="429"):
        await provider.create_top_up(TOP_UP)


async def test_a_refusal_is_not_asked_again(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    simulator.faults.set(Refusal("card_declined", 402))
    with pytest.raises(ProviderRefusedError, match="Refused by a fault"):
        await provider.create_top_up(TOP_UP)
    assert len(simulator.requests) == 1


async def test_nobody_there_is_no_answer() -> None:
    alone = provider_of(f"http://{free_address()}", timeout_seconds=0.5)
    with pytest.raises(ProviderUnavailableError, match="no answer"):
        await alone.fetch_subscription("sub_1")
    await alone.close()


async def test_every_call_is_counted_once_by_what_came_of_it(simulator: StripeSimulator) -> None:
    registry = CollectorRegistry()
    provider = provider_of(simulator.base_url, registry)
    simulator.faults.set(Unavailable(500), times=1)
    await provider.create_top_up(TOP_UP)
    with pytest.raises(ProviderRefusedError):
        await provider.fetch_subscription("sub_nobodys")
    simulator.faults.set(Unavailable())
    with pytest.raises(ProviderUnavailableError):
        await provider.fetch_checkout("cs_1")
    await provider.close()
    assert calls_counted(registry) == {
        ("STRIPE", "create_session", "answered"): 1,
        ("STRIPE", "get_subscription", "refused"): 1,
        ("STRIPE", "get_session", "unavailable"): 1,
    }


async def test_a_key_that_stripe_does_not_know_is_not_told(simulator: StripeSimulator) -> None:
    stranger = provider_of(simulator.base_url, api_key="sk_live_of_another_account")
    with pytest.raises(ProviderRefusedError, match="does not know STRIPE_API_KEY") as refused:
        await stranger.create_top_up(TOP_UP)
    assert "sk_live_of_another_account" not in whole_text(refused.value)
    await stranger.close()


class OddStripe:
    """Answers anything at all."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.answer: Answerer = self._redirect
        self.server = TestServer(self._application())

    @property
    def base_url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def _application(self) -> web.Application:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.headers.append(dict(request.headers))
            return await self.answer(request)

        application = web.Application()
        application.add_routes([web.route("*", "/{path:.*}", handle)])
        return application

    async def _redirect(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{self.base_url}/elsewhere"})


@pytest.fixture
async def odd() -> AsyncIterator[OddStripe]:
    """A server that is not Stripe."""
    odd = OddStripe()
    await odd.server.start_server()
    yield odd
    await odd.server.close()


@pytest.fixture
async def confused(odd: OddStripe) -> AsyncIterator[StripeProvider]:
    """Asks the one that is not Stripe."""
    confused = provider_of(odd.base_url, timeout_seconds=2.0)
    yield confused
    await confused.close()


def answer(body: bytes, status: int = 200, headers: dict[str, str] = DATE) -> Answerer:
    async def respond(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return respond


SECRET = "4242424242424242"
SESSION = b'{"id": "cs_1", "url": "https://x", "card": "4242424242424242"'


@pytest.mark.parametrize(
    "odd_answer",
    [
        answer(f"<html>{SECRET}</html>".encode()),
        answer(f'["{SECRET}"]'.encode()),
        answer(b"null"),
        answer(b"\xff\xfe" + SECRET.encode()),
        answer(b"[" * 100_000),
        answer(SESSION + b', "id": "cs_2"}'),
        answer(SESSION + b', "amount": NaN}'),
        answer(SESSION + b"}", headers={"Date": "soon"}),
        answer(b'{"url": "https://x"}'),
        answer(b'{"id": "cs_1", "url": null}'),
        answer(b'{"error": "4242424242424242"}', status=400),
        answer(b'{"error": ["4242424242424242"]}', status=400),
        answer(b'["4242424242424242"]', status=400),
        answer(b'{"error": {"message": "4242424242424242"}}', status=500),
    ],
    ids=range(14),
)
async def test_an_answer_that_no_stripe_gives_is_none(
    odd: OddStripe, confused: StripeProvider, odd_answer: Answerer
) -> None:
    odd.answer = odd_answer
    with pytest.raises(ProviderUnavailableError) as told:
        await confused.create_top_up(TOP_UP)
    assert SECRET not in whole_text(told.value)


async def test_an_answer_without_end_is_not_read_to_its_end(
    odd: OddStripe, confused: StripeProvider
) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers=DATE)
        await response.prepare(request)
        while sent < 64 * ANSWER_LENGTH_MAX:
            await response.write(b" " * 65_536)
            sent += 65_536
        return response

    odd.answer = endless
    with pytest.raises(ProviderUnavailableError, match="an answer without end"):
        await confused.fetch_subscription("sub_1")
    assert sent < 64 * ANSWER_LENGTH_MAX


async def test_another_address_is_not_followed(odd: OddStripe, confused: StripeProvider) -> None:
    with pytest.raises(ProviderUnavailableError, match="HTTP 302"):
        await confused.fetch_subscription("sub_1")
    assert len(odd.headers) == 1


async def test_what_cannot_be_read_as_told_is_no_answer(
    odd: OddStripe, confused: StripeProvider
) -> None:
    odd.answer = answer(b'{"id": 7, "status": "active"}')
    with pytest.raises(ProviderUnavailableError, match="id is not an id"):
        await confused.fetch_subscription("sub_1")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 429, 500])
async def test_the_key_is_never_told(
    odd: OddStripe, confused: StripeProvider, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    quoted = f'{{"error": {{"message": "You sent {API_KEY}", "type": "x"}}}}'
    odd.answer = answer(quoted.encode(), status=status)
    with pytest.raises(ProviderError) as told:
        await confused.fetch_subscription("sub_1")
    assert API_KEY not in whole_text(told.value)
    assert odd.headers[0]["Authorization"] == f"Bearer {API_KEY}"


async def test_nothing_of_this_machine_is_kept_or_sent(
    odd: OddStripe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(stripe, "enable_telemetry", True)
    monkeypatch.setattr("stripe._telemetry_id._loaded", False)
    asking = provider_of(odd.base_url)
    odd.answer = answer(b'{"id": "sub_1"}', headers=DATE | {"Request-Id": "req_1"})

    await asking.fetch_subscription("sub_1")
    await asking.fetch_subscription("sub_1")

    await asking.close()
    assert files_in(tmp_path) == []
    for headers in odd.headers:
        assert "X-Stripe-Client-Telemetry" not in headers
        told = headers["X-Stripe-Client-User-Agent"]
        assert "telemetry_id" not in told
        assert "platform" not in told
