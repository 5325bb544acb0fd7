"""Whoever is asked answers as they should, or it is told in one line which setting is about it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.stripe import StripeSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.stack.certificates import directory_of, make_all_certificates
from dev.stripe_simulator import signature_header
from libs.http import HttpEndpoint
from preflight.given import read_given
from preflight.online import check_online
from preflight.online.monitoring import judge
from preflight.problems import to_lines
from tests.integration.wallet.ledgers import ADD_ENTRY, FOLLOW_LAST_ENTRY
from tests.integration.wallet.requests import credit, open_wallet
from tests.support.doors import Door
from tests.support.good_environment import good_environment
from tests.support.services import ANY_PORT
from tests.support.stack import CONSOLE, SERVICES, STRIPE_SECRET, TWILIO_SID, TWILIO_TOKEN, Stack
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

pytestmark = pytest.mark.database

STRIPE_KEY = "sk_test_of_a_preflight"
PAYPAL_SECRET = "secret-of-a-preflight"
NOWHERE = "http://127.0.0.1:9"
ALERTMANAGER = {"config": {"original": "receivers:\n- name: page\n  webhook_configs:\n  - url: u"}}
# What tests gain speed by would be told of anywhere else.
FORGETFUL = "what was answered can be lost: fsync, full_page_writes, synchronous_commit is off"
UNHEARD = "webhooks of STRIPE: none has arrived yet: have the provider send a test event"

Ask = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def stripe() -> AsyncIterator[str]:
    simulator = StripeSimulator(STRIPE_KEY, STRIPE_SECRET, NOWHERE)
    await simulator.start()
    yield simulator.base_url
    await simulator.stop()


@pytest.fixture
async def paypal() -> AsyncIterator[str]:
    simulator = PayPalSimulator(
        client_id="client", client_secret=PAYPAL_SECRET, webhook_id="WEBHOOK", webhook_url=NOWHERE
    )
    await simulator.start()
    yield simulator.base_url
    await simulator.stop()


@pytest.fixture
async def alertmanager() -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(ALERTMANAGER)

    application = web.Application()
    application.router.add_get("/api/v2/status", answer)
    endpoint = HttpEndpoint(application, ANY_PORT)
    await endpoint.start()
    yield f"http://127.0.0.1:{endpoint.port}"
    await endpoint.stop()


@pytest.fixture
async def stack(stopped_stack: Stack, tmp_path: Path) -> Stack:
    """The two services that are asked."""
    stopped_stack.certificates = tmp_path / "certificates"
    make_all_certificates(stopped_stack.certificates, (*SERVICES, CONSOLE))
    await stopped_stack.start("wallet", "billing_gateway")
    return stopped_stack


@pytest.fixture
def environment(
    stack: Stack, stripe: str, paypal: str, alertmanager: str, tmp_path: Path
) -> dict[str, str]:
    """A good one, of what is here."""
    assert stack.certificates is not None
    databases = stack.databases.items()
    return {
        **good_environment(tmp_path),
        **{f"{name.upper()}_DATABASE_URL": database.url for name, database in databases},
        **{
            f"{name.upper()}_OWNER_DATABASE_URL": database.superuser_url
            for name, database in databases
        },
        "PREFLIGHT_OPERATOR_TLS_DIRECTORY": str(
            directory_of("operator_reader", stack.certificates)
        ),
        "PREFLIGHT_ALERTMANAGER_URL": alertmanager,
        "OPERATOR_CONSOLE_SERVICES": ",".join(
            f"{name}={stack.addresses[name]}" for name in SERVICES
        ),
        "TWILIO_ACCOUNT_SID": TWILIO_SID,
        "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO_API_BASE": stack.twilio.base_url,
        "STRIPE_LIVEMODE": "false",
        "STRIPE_API_KEY": STRIPE_KEY,
        "STRIPE_API_BASE": stripe,
        "PAYPAL_CLIENT_ID": "client",
        "PAYPAL_CLIENT_SECRET": PAYPAL_SECRET,
        "PAYPAL_API_BASE": paypal,
    }


@pytest.fixture
def ask(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask everybody, with some settings changed; leave out what is so in every test."""
    expected = {UNHEARD, *(f"{name.upper()}_DATABASE_URL: {FORGETFUL}" for name in SERVICES)}

    async def ask(*, is_raw: bool = False, **changes: str) -> list[str]:
        for name in os.environ:
            monkeypatch.delenv(name)
        for name, value in (environment | changes).items():
            monkeypatch.setenv(name, value)
        given = read_given({**environment, **changes})
        assert given.refused == ()
        lines = to_lines(await check_online(given))
        assert not [line for line in lines if PAYPAL_SECRET in line or STRIPE_KEY in line]
        if is_raw:
            return lines
        return [line.replace(f"; {FORGETFUL}", "") for line in lines if line not in expected]

    return ask


async def test_a_good_environment_passes(ask: Ask) -> None:
    assert await ask() == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TWILIO_AUTH_TOKEN", "another"),
        ("STRIPE_API_KEY", "sk_test_another"),
        ("PAYPAL_CLIENT_SECRET", "another"),
        ("PREFLIGHT_ALERTMANAGER_URL", NOWHERE),
        ("WALLET_DATABASE_URL", "postgresql://wallet:another@127.0.0.1:9/wallet"),
        ("CAMPAIGN_OWNER_DATABASE_URL", "postgresql://campaign:another@127.0.0.1:9/campaign"),
    ],
)
async def test_whoever_refuses_us_or_is_not_there_is_told(
    ask: Ask, setting: str, value: str
) -> None:
    [line] = await ask(**{setting: value})
    assert line.startswith(f"{setting}: ")
    assert "another" not in line


async def test_a_suspended_account_is_told(ask: Ask, stack: Stack) -> None:
    stack.twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED, by_twilio=True)
    [line] = await ask()
    assert line.startswith("TWILIO_")


async def test_services_that_are_down_are_told(ask: Ask, stack: Stack) -> None:
    await stack.stop()
    [line] = await ask()
    assert line.startswith("OPERATOR_CONSOLE_SERVICES: ")
    assert "wallet" in line
    assert "billing_gateway" in line


HISTORIES = {
    "wallet": "entries",
    "campaign": "campaign_changes",
    "telephony": "subaccount_changes",
    "billing_gateway": "subscription_changes",
}


async def test_a_role_that_may_too_much_is_told(ask: Ask, stack: Stack) -> None:
    urls = {
        f"{name.upper()}_DATABASE_URL": database.superuser_url
        for name, database in stack.databases.items()
    }
    lines = await ask(**urls)
    for line, (name, history) in zip(lines, HISTORIES.items(), strict=True):
        assert line.startswith(f"{name.upper()}_DATABASE_URL: ")
        for problem in ("no superuser", "owns the database", f"{history}, operator_actions"):
            assert problem in line


async def test_databases_that_forget_are_told(ask: Ask) -> None:
    lines = await ask(is_raw=True)
    for name in SERVICES:
        assert f"{name.upper()}_DATABASE_URL: {FORGETFUL}" in lines


async def test_a_strange_isolation_is_told(ask: Ask, stack: Stack) -> None:
    options = "options=-c%20default_transaction_isolation%3Dserializable"
    [line] = await ask(CAMPAIGN_DATABASE_URL=f"{stack.databases['campaign'].url}?{options}")
    assert line.startswith("CAMPAIGN_DATABASE_URL: default_transaction_isolation")


async def test_a_database_that_is_not_migrated_is_told(ask: Ask, stack: Stack) -> None:
    connection = await asyncpg.connect(stack.databases["telephony"].superuser_url)
    row = await connection.fetchrow(
        "DELETE FROM schema_migrations WHERE name LIKE '0001%' RETURNING *"
    )
    assert row is not None
    [line] = await ask()
    await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3)", *row)
    await connection.close()
    assert line.startswith("TELEPHONY_OWNER_DATABASE_URL: the database is not as")


async def test_a_ledger_that_was_changed_is_told(ask: Ask, stack: Stack) -> None:
    assert stack.certificates is not None
    door = Door(stack.addresses["wallet"], stack.certificates)
    async with door.open("platform") as channel:
        wallet = WalletServiceStub(channel)
        await open_wallet(wallet)
        await wallet.Credit(credit(1_000, "in"))
    connection = await asyncpg.connect(stack.databases["wallet"].superuser_url)
    await connection.execute(ADD_ENTRY)
    await connection.execute(FOLLOW_LAST_ENTRY)
    await connection.close()
    [line] = await ask()
    assert line.startswith("ledger: VerifyLedger has ")


async def test_whether_webhooks_arrive_and_are_settled_is_told(ask: Ask, stack: Stack) -> None:
    assert UNHEARD in await ask(is_raw=True)
    assert await stack.post(b"{}", signature_header(b"{}", STRIPE_SECRET)) == 200
    lines = await ask(is_raw=True)
    assert [line for line in lines if "webhooks" in line] == ["webhooks of STRIPE: 1 are DEAD"]


@pytest.mark.parametrize(
    ("told", "count"),
    [
        (ALERTMANAGER, 0),
        ({"config": {"original": "receivers:\n- name: page\n"}}, 1),
        ({"config": {"original": "webhook_configs:\n- url: https://pager.invalid/"}}, 1),
        ({"config": None}, 1),
        ([], 1),
    ],
)
def test_receivers_that_tell_nobody_are_told(told: Any, count: int) -> None:
    assert len(judge(told)) == count
