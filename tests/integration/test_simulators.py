"""What the simulated payment providers have in common."""

import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal import account as paypal_account
from dev.simulators.paypal.certificates import make_chain
from dev.simulators.stripe import StripeSimulator
from dev.simulators.stripe import verbs as stripe_verbs
from services.billing_gateway.paypal.environment import ADDRESSES, Environment

NOBODY = "http://127.0.0.1:9"
CHAIN = make_chain(ADDRESSES[Environment.SANDBOX].certificate_name, datetime.now(UTC))
THEN = datetime(2026, 12, 24, 18, tzinfo=UTC)

Simulator = PayPalSimulator | StripeSimulator


def make_paypal(state_file: Path) -> Simulator:
    return PayPalSimulator(
        client_id="client-1",
        client_secret="secret-1",
        webhook_id="WEBHOOK1",
        webhook_url=NOBODY,
        state_file=state_file,
        chain=CHAIN,
    )


def make_stripe(state_file: Path) -> Simulator:
    return StripeSimulator("sk_test_1", "whsec_1", NOBODY, state_file=state_file)


@dataclass(frozen=True)
class Case:
    """A simulator, and something that may happen there."""

    make: Callable[[Path], Simulator]
    verb: str
    arguments: dict[str, str]
    verbs: Sequence[str]


CASES = {
    "paypal": Case(make_paypal, "create_subscription", {"plan_id": "P-1"}, paypal_account.VERBS),
    "stripe": Case(make_stripe, "subscribe", {"price_id": "price_pro"}, stripe_verbs.VERBS),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """One of them."""
    return CASES[request.param]


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    """Where it keeps its account."""
    return tmp_path / "account.json"


@pytest.fixture
async def simulator(case: Case, state_file: Path) -> AsyncIterator[Simulator]:
    """It runs."""
    simulator = case.make(state_file)
    simulator.deliveries.hold()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[ClientSession]:
    """Who makes things happen."""
    async with ClientSession(f"{simulator.base_url}/_simulator/") as http:
        yield http


async def test_what_was_answered_is_kept_whatever_becomes_of_the_simulator(
    case: Case, simulator: Simulator, control: ClientSession, state_file: Path
) -> None:
    async with control.post(f"act/{case.verb}", json=case.arguments) as answer:
        assert answer.status == 200
    # Nobody has stopped the first, as if it had been killed.
    assert len(simulator.account.books.subscriptions) == 1
    assert case.make(state_file).account.books == simulator.account.books


async def test_it_tells_its_verbs_with_their_arguments_and_how_it_can_fail(
    case: Case, simulator: Simulator, control: ClientSession
) -> None:
    async with control.get("/_simulator") as answer:
        told = await answer.json()
    for name in case.verbs:
        verb = getattr(simulator.account, name)
        body = told[f"POST /_simulator/act/{name}"]["body"]
        assert [*body["properties"]] == [*inspect.signature(verb).parameters]
    assert told[f"POST /_simulator/act/{case.verb}"]["body"]["required"] == [*case.arguments]
    kinds = told["POST /_simulator/faults"]["body"]["properties"]["fault"]["discriminator"]
    assert kinds["mapping"].keys() >= {"unavailable", "lost_answer", "latency"}
    assert kinds["mapping"].keys() >= {"overtaken", "cut"}
    switches = ("deliveries", "clock", "load")
    assert told.keys() >= {f"PUT /_simulator/{each}" for each in switches}


@pytest.mark.parametrize(
    ("arguments", "named"), [({"nobody": "x"}, "nobody"), ({}, "id"), ({"amount": {}}, "amount")]
)
async def test_what_is_wrong_with_a_verbs_arguments_is_named(
    control: ClientSession, arguments: dict[str, Any], named: str
) -> None:
    async with control.post("act/refund", json=arguments) as answer:
        assert answer.status == 400
        assert named in (await answer.json())["error"]


async def put_clock(control: ClientSession, **asked: Any) -> datetime:
    async with control.put("clock", json=asked) as answer:
        assert answer.status == 200
        return datetime.fromisoformat((await answer.json())["time"])


async def test_its_clock_is_set_over_http(simulator: Simulator, control: ClientSession) -> None:
    assert (
        timedelta() <= await put_clock(control, time=THEN.isoformat()) - THEN < timedelta(hours=1)
    )
    later = await put_clock(control, advance_seconds=86_400)
    assert timedelta(days=1) <= later - THEN < timedelta(days=1, hours=1)
    async with control.get("clock") as answer:
        assert datetime.fromisoformat((await answer.json())["time"]) >= later
    assert simulator.clock.now() >= later


async def test_a_time_that_cannot_be_is_refused(control: ClientSession) -> None:
    for asked in ({"time": "2026-12-24T18:00:00"}, {"time": "soon"}, {"advance_seconds": "NaN"}):
        async with control.put("clock", json=asked) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]
