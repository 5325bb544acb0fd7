"""No secret of any service's stands in a log line, an error, a metric, an answer or a table."""

import asyncio
import json
import re
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import pytest

from dev.demo.organization import BRAND_ID, CURRENCY_CODE
from dev.service_databases import SERVICES
from dev.stack.services import SETTINGS_TYPES
from dev.stripe_simulator import Customer, signature_header, to_body, top_up_event
from libs.config import setting_names
from libs.secret_files import file_setting
from tests.end_to_end.every_rpc import Values
from tests.end_to_end.stage import Stage
from tests.support.canaries import (
    ACCOUNT_SID,
    BYTES,
    PAYPAL_CLIENT_ID,
    plant,
    secrets_of,
    settings_with,
    told_of,
)
from tests.support.make_run import environment_in, make_run, run, running_in
from tests.support.processes import command_lines
from tests.support.services import free_address
from tests.support.telemetry import Collector, Sentry, collector, sentry
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.database,
    # The whole stack starts, the whole story is told, and providers are asked in vain for long.
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="`make run` ends its processes by Linux"),
]

# What providers make up themselves.
PAYPAL_TOKEN = re.compile(r"A21AA[\w-]{40,}")
WHOLE_EVENT = "tollgate.billing_gateway.v1.BillingGatewayService.GetWebhookEvent"
STRIPE_CLIENT_SECRET = re.compile(r"pi_\w+_secret_\w+")
# All that is said, and what waits for a provider soon again.
SETTINGS = {
    "LOG_LEVEL": "DEBUG",
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "PAYPAL_CLIENT_ID": PAYPAL_CLIENT_ID,
    "BILLING_GATEWAY_LOOK_INTERVAL_SECONDS": "1",
    "TELEPHONY_TWILIO_REFUSED_BACK_OFF_MAX_SECONDS": "0.5",
}

# Each of these asks a provider.
ASKING = (
    *("CreateTopUp", "CreateSubscription", "CancelSubscription"),
    *("ReactivateSubscription", "SyncSubscription"),
)
STATUSES = (400, 401, 403, 404, 409, 422, 500, 503)
# What is left of the headers that Stripe and Twilio quote; of PayPal nothing is.
QUOTED = ("Bearer …", "Basic …", '"paypal_refused"')
# No session holds up others, so that none can be ended.
REFUSED_HERE = {"tollgate.operations.v1.OperationsService.EndLongTransaction"}
OPEN_ORDER = """
SELECT checkout_id FROM checkouts
WHERE provider = 'PAYPAL' AND kind = 'TOP_UP' AND state = 'OPEN'
"""
# Why what is done in the background was in vain.
IN_VAIN = {
    "an order is captured": ("billing_gateway", "SELECT max(last_error) FROM checkouts"),
    "a subscription is looked at": ("billing_gateway", "SELECT max(look_error) FROM subscriptions"),
    "a subaccount is suspended": ("telephony", "SELECT last_error FROM twilio_trouble"),
}
DEFECT = """
import runpy, sys
from libs.database import Database
del Database.is_there
runpy.run_module(f"services.{sys.argv.pop()}", run_name="__main__")
"""
IDS = {
    "providerSubscriptionId": "SELECT max(subscription_id) FROM subscriptions",
    "paymentId": "SELECT max(payment_id) FROM payments",
    "eventId": "SELECT max(event_id) FROM webhook_events",
}
OF_ONE = " WHERE organization_id = $1 AND provider = $2"
SUBACCOUNT = "SELECT max(account_sid) FROM subaccounts WHERE organization_id = $1"


def subaccounts_tokens(folder: Path) -> dict[str, str]:
    """The tokens that Twilio has shown telephony."""
    accounts = (folder / "data" / "twilio_account.jsonl").read_text()
    found = re.findall(r'"auth_token":"(\w+)"', accounts)
    return {f"auth token {number}": token for number, token in enumerate(found)}


def private_keys(folder: Path) -> dict[str, str]:
    """A line of every key with which somebody proves who it is, or signs."""
    keys = [
        file
        for file in (folder / "data").rglob("*")
        if file.is_file() and b"PRIVATE KEY-----" in file.read_bytes()
    ]
    return {f"key {file.parent.name}": file.read_text().splitlines()[-3] for file in keys}


async def known_values(stage: Stage, organization_id: str, provider: str) -> dict[str, Any]:
    """What is known of an organization and one of its providers, by the names of fields."""
    ids = {
        name: await stage.look_up("billing_gateway", query + OF_ONE, organization_id, provider)
        for name, query in IDS.items()
    }
    return {
        **ids,
        "organizationId": organization_id,
        "provider": f"PROVIDER_{provider}",
        "accountSid": await stage.look_up("telephony", SUBACCOUNT, organization_id),
        "brandId": BRAND_ID,
        "friendlyName": "A brand of a test's",
        "currencyCode": CURRENCY_CODE,
        "amountMicros": 10_000_000,
        "planId": "P-BASIC" if provider == "PAYPAL" else "price_basic",
        "returnUrl": "https://example.com/done",
        "cancelUrl": "https://example.com/back",
        "atPeriodEnd": True,
        "until": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "note": "a note",
        "ledgerCurrencyCode": CURRENCY_CODE,
        "revision": 1,
        "state": 3,
    }


def malformed(values: Values) -> Values:
    """The same, but that no text is one that is taken."""
    texts = values.keys() - {"provider", "until", "atPeriodEnd", "state", "revision"}
    bad = dict.fromkeys((*texts, "referenceId", "pageToken"), "\0")
    return {**values, **bad, "amountMicros": -1}


async def fail_in_the_background(stage: Stage, values: Values) -> None:
    """Let an approved order, a subscription and a subaccount wait for providers that refuse."""
    await stage.ask_these("billing_gateway", ["CreateTopUp"], values)
    order_id = await stage.look_up("billing_gateway", OPEN_ORDER)
    await stage.let_providers_echo(401)
    await stage.let_happen("paypal", "approve_order", order_id=order_id)
    await stage.ask_these("telephony", ["SuspendSubaccounts"], values)

    async def still_well() -> list[str]:
        return [what for what, query in IN_VAIN.items() if not await stage.look_up(*query)]

    await eventually(still_well, lambda found: not found, 60.0)


async def deliver_badly(stage: Stage, stripe_secrets: list[str]) -> None:
    """Deliver what is not signed, or wrongly; and what each secret has signed."""
    body = to_body(top_up_event(Customer("org-of-nobody"), 2_500, datetime.now(UTC)))
    paypal = {f"PAYPAL-{name}": "x" for name in ("TRANSMISSION-ID", "CERT-URL", "AUTH-ALGO")}
    for provider, headers, status in (
        ("stripe", {}, 400),
        ("stripe", {"Stripe-Signature": signature_header(body, "another")}, 400),
        ("paypal", {}, 400),
        ("paypal", paypal, 400),
        ("nobody", {}, 404),
        *(
            ("stripe", {"Stripe-Signature": signature_header(body, each)}, 200)
            for each in stripe_secrets
        ),
    ):
        assert await stage.deliver(provider, body, headers) == status


async def knock_everywhere(stage: Stage, organization_id: str, stripe_secrets: list[str]) -> None:
    """Ask for everything, well and badly, while providers work and while they do not."""
    known = [await known_values(stage, organization_id, each) for each in ("PAYPAL", "STRIPE")]
    for values in known:
        await stage.ask_all(values)
        await stage.ask_all(malformed(values))
        await stage.ask_all(values | {"organizationId": "org-of-nobody"})
    await fail_in_the_background(stage, known[0])
    for status, tokens_too in (*((status, False) for status in STATUSES), (401, True)):
        await stage.let_providers_echo(status, tokens_too=tokens_too)
        vain = (stage.ask_these("billing_gateway", ASKING, it) for it in known)
        await asyncio.gather(*vain, stage.ask_these("telephony", ["ProvisionSubaccount"], known[0]))
        await stage.read_tables()
    await stage.let_providers_work()
    for values in known:
        await stage.ask_all(values, only_required=True)
    await deliver_badly(stage, stripe_secrets)
    await stage.read_metrics()
    await stage.read_tables()


class Received(NamedTuple):
    """What services have told whoever collects traces and reports of errors."""

    traces: Collector
    reports: Sentry


@asynccontextmanager
async def receiving(environment: dict[str, str]) -> AsyncIterator[Received]:
    """Collect all that the services of an environment tell."""
    async with collector() as traces, sentry() as reports:
        key = urlsplit(environment["SENTRY_DSN"]).username
        environment["SENTRY_DSN"] = reports.dsn.replace("public", str(key))
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = traces.endpoint
        yield Received(traces, reports)


@pytest.mark.long
async def test_no_secret_is_logged_counted_or_told(tmp_path: Path) -> None:
    planted = plant()
    environment = {**environment_in(tmp_path), **SETTINGS, **planted}
    async with (
        receiving(environment) as received,
        make_run(environment) as (process, table),
        aiohttp.ClientSession() as http,
    ):
        exit_code, story = await run(environment, "-m", "dev.demo")
        assert exit_code == 0, story
        [organization_id] = re.findall(r"organization (\S+)", story)
        stage = Stage(environment, running_in(tmp_path), http)
        stripe_secrets = planted["STRIPE_WEBHOOK_SECRETS"].split(",")
        await knock_everywhere(stage, organization_id, stripe_secrets)
        programs = "\n".join(command_lines(process.pid))
        process.terminate()
        assert process.stdout is not None
        goodbye = (await process.stdout.read()).decode()

    data = tmp_path / "data"
    logs = [file.read_text() for file in (data / "logs").iterdir()]
    logs.append((data / "postgres" / "server.log").read_text())
    # As JSON has it, and as it was sent.
    assert received.traces.requests
    assert received.reports.events
    sent = [str(each) for each in received.traces.requests]
    sent += map(json.dumps, received.reports.events)
    told = [table, story, goodbye, programs, *logs, *stage.asked.told, *sent]
    everything = "\n".join(told)
    for service in ("billing_gateway", "telephony"):
        served = {method.full_name for method in stage.methods[service]}
        assert served - stage.asked.ended(well=True) <= REFUSED_HERE
        # What has no field cannot be asked badly.
        refusable = {each.full_name for each in stage.methods[service] if each.input_type.fields}
        assert refusable - stage.asked.ended(well=False) == set()
    assert "services.wallet" in programs
    assert "database system is ready" in everything
    tokens, keys = subaccounts_tokens(tmp_path), private_keys(tmp_path)
    assert len(tokens) >= 2
    assert len(keys) > len(SETTINGS_TYPES)
    superuser = {"superuser": (data / "postgres" / "superuser_password").read_text()}
    assert told_of(planted | tokens | keys | superuser, everything) == set()
    places_of_tokens = [each[:60] for each in told if PAYPAL_TOKEN.search(each)]
    assert places_of_tokens == []
    # Of an event an operator may see what the provider has sent, whole; and nobody else may.
    places_of_payers = {each.split(":")[0] for each in told if STRIPE_CLIENT_SECRET.search(each)}
    assert places_of_payers <= {WHOLE_EVENT}
    assert b"_secret_".hex() in everything
    assert all(each in everything for each in QUOTED)


@pytest.mark.parametrize("service", SETTINGS_TYPES)
async def test_no_setting_that_is_refused_is_quoted(service: str, tmp_path: Path) -> None:
    canary = secrets.token_hex(BYTES // 2)
    names = setting_names(SETTINGS_TYPES[service]).values()
    environment = environment_in(tmp_path) | dict.fromkeys(names, f"{canary}\u2620")
    exit_code, shown = await run(environment, "-m", f"services.{service}")
    assert exit_code == 2
    assert shown.count("setting ") > len(names) / 2
    assert shown.count(canary) == 0


async def test_no_crash_tells_a_secret(tmp_path: Path) -> None:
    """Every service with a database reads its secrets from files, and has a defect."""
    planted = plant()
    crashes = await asyncio.gather(*(crash(tmp_path, planted, service) for service in SERVICES))
    for shown in crashes:
        assert "Traceback" in shown
        assert told_of(planted, shown) == set()


async def crash(folder: Path, planted: dict[str, str], service: str) -> str:
    """What a service shows that finds a defect when it starts."""
    settings = settings_with(planted, service)
    for name in secrets_of(service):
        file = folder / name
        file.write_text(settings.pop(name))
        settings[file_setting(name)] = str(file)
    exit_code, shown = await run({**environment_in(folder), **settings}, "-c", DEFECT, service)
    assert exit_code == 1, shown
    return shown


async def test_no_address_of_a_database_that_is_refused_is_quoted(tmp_path: Path) -> None:
    canary = secrets.token_hex(BYTES // 2)
    nobody = f"{canary}@{free_address()}/wallet"
    for address, expected in (
        (f"{canary}/x@127.0.0.1/wallet", 2),
        (f"x@127.0.0.1/wallet?{canary}", 2),
        (nobody, 1),
    ):
        url = f"postgresql://wallet_owner:{address}"
        environment = environment_in(tmp_path) | {"WALLET_OWNER_DATABASE_URL": url}
        exit_code, shown = await run(environment, "-m", "services.wallet", "migrate")
        assert exit_code == expected
        assert shown.count("\n") == 1
        assert shown.count(canary) == 0
