"""Settings: all problems at once, each by its name, and no secret among them."""

import os
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dev.stack.services import SETTINGS_TYPES
from libs.config import load_settings
from libs.database_urls import require_database_url
from services.billing_gateway.config import BillingGatewaySettings
from services.billing_gateway.domain.crediting import (
    CreditAllowance,
    CreditAmountPaid,
    CreditNothing,
)
from services.wallet.config import WalletSettings

GOOD = {
    "BILLING_GATEWAY_PLAINTEXT": "true",
    "BILLING_GATEWAY_DATABASE_URL": "postgresql://gateway:hunter2@127.0.0.1:5432/billing_gateway",
    "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS": "wallet=127.0.0.1:50051,campaign=campaign:50052",
    "WALLET_ADDRESS": "[::1]:50051",
    "STRIPE_WEBHOOK_SECRETS": "whsec_hunter2, whsec_other",
}


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> BillingGatewaySettings:
    for name, value in {**GOOD, **changes}.items():
        monkeypatch.setenv(name, value)
    return load_settings(BillingGatewaySettings)


def problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **changes: str
) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        load(monkeypatch, **changes)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert "hunter2" not in printed
    assert "Traceback" not in printed
    return [line.removeprefix("setting ").split(":")[0] for line in printed.splitlines()]


def test_what_is_right_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = (
        '{"pro": {"allowance_micros": 5000000, "currency_code": "USD"},'
        ' "free": "nothing", "basic": "amount_paid"}'
    )
    settings = load(monkeypatch, BILLING_GATEWAY_PLAN_CREDITS=plans)
    assert settings.subscription_observers["campaign"] == "campaign:50052"
    assert len(settings.stripe_webhook_secrets) == 2
    assert settings.plans == {
        "pro": CreditAllowance(5_000_000, "USD"),
        "free": CreditNothing(),
        "basic": CreditAmountPaid(),
    }
    assert "hunter2" not in repr(settings)


def test_all_that_is_missing_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)
    needed = GOOD.keys() - {"BILLING_GATEWAY_PLAINTEXT"} | {"BILLING_GATEWAY_TLS_DIRECTORY"}
    with pytest.raises(SystemExit):
        load_settings(BillingGatewaySettings)
    printed = capsys.readouterr().err
    assert all(f"setting {name}:" in printed for name in needed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BILLING_GATEWAY_DATABASE_URL", "postgresql://gateway:hunter2/x@h:5432/db"),
        ("BILLING_GATEWAY_DATABASE_URL", "postgresql://gateway:1/hunter2@h:5432/db"),
        ("BILLING_GATEWAY_DATABASE_URL", "postgresql://gateway:1?hunter2@h:5432/db"),
        ("BILLING_GATEWAY_DATABASE_URL", "postgresql://gateway:1@hunter2@h:5432/db"),
        ("BILLING_GATEWAY_DATABASE_URL", "mysql://gateway:hunter2@h/db"),
        ("BILLING_GATEWAY_DATABASE_URL", "postgresql://a:hunter2@h/db?sslmode=verify_full"),
        ("BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS", ""),
        ("BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS", "a=h:1,a=h:2"),
        ("BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS", "a=nonsense"),
        ("BILLING_GATEWAY_LISTEN_ADDRESS", "nonsense"),
        ("BILLING_GATEWAY_PLAN_CREDITS", "{bad"),
        ("BILLING_GATEWAY_PLAN_CREDITS", '{"pro": {"allowance_micros": -1}}'),
        ("BILLING_GATEWAY_PLAN_CREDITS", '{"pro": "nothing", "pro": "amount_paid"}'),
        ("BILLING_GATEWAY_PLAN_CREDITS", '{"pro plan": "nothing"}'),
        ("BILLING_GATEWAY_PERIOD_SLACK_SECONDS", "inf"),
        ("BILLING_GATEWAY_PERIOD_SLACK_SECONDS", "-1"),
        ("BILLING_GATEWAY_PROVIDER_TIMEOUT_SECONDS", "21"),
        ("BILLING_GATEWAY_PROVIDER_TIMEOUT_SECONDS", "nan"),
        ("STRIPE_SIGNATURE_TOLERANCE_SECONDS", "1e15"),
        ("STRIPE_WEBHOOK_SECRETS", " , "),
        ("STRIPE_WEBHOOK_SECRETS", '""'),
        ("STRIPE_WEBHOOK_SECRETS", '"whsec_hunter2"'),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_good,whsec_"),
        ("STRIPE_WEBHOOK_SECRETS", "sk_live_hunter2"),
        ("STRIPE_API_KEY", " sk_live_hunter2"),
        ("STRIPE_API_KEY", "whsec_hunter2"),
        ("STRIPE_API_KEY", "sk_live_hunter2\nX: y"),
        ("STRIPE_API_BASE", "http://stripe.example"),
        ("STRIPE_API_BASE", "https://stripe.example:99999"),
        ("BILLING_GATEWAY_HTTP_ADDRESS", "127.0.0.1:65536"),
        ("STRIPE_BLOCKING_FRAUD_TYPES", "Lost!"),
        ("PAYPAL_API_BASE", "http://paypal.example"),
        ("PAYPAL_ENVIRONMENT", "production"),
        ("PAYPAL_INTERMEDIATES_FILE", "/nowhere.pem"),
        ("BILLING_GATEWAY_CLAIM_KEYS", "hunter2-and-too-short"),
        ("BILLING_GATEWAY_PAST_DUE_GRACE_SECONDS", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("WALLET_ADDRESS", "http://wallet:50051"),
    ],
)
def test_what_is_wrong_is_said_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    assert name in {each.split(".")[0] for each in problems(monkeypatch, capsys, **{name: value})}


LISTENS_EVERYWHERE = {"WALLET_LISTEN_ADDRESS": "0.0.0.0:50051"}
NO_BYTES_OF_A_TEXT = os.fsdecode(b"\xff" * 40)
GOOD_WALLET = {
    "WALLET_PLAINTEXT": "true",
    "WALLET_DATABASE_URL": "postgresql://wallet:hunter2@127.0.0.1:5432/wallet",
    "WALLET_OBSERVERS": "campaign=127.0.0.1:50052",
    "WALLET_CHAIN_KEYS": "hunter2" * 5,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"WALLET_METRICS_ADDRESS": "nonsense"},
            "WALLET_METRICS_ADDRESS: expected host:port, with a port of at most 65535",
        ),
        (
            {"WALLET_METRICS_ADDRESS": "127.0.0.1:99999"},
            "WALLET_METRICS_ADDRESS: expected host:port, with a port of at most 65535",
        ),
        (
            {"WALLET_DATABASE_URL": "postgresql://wallet:" + NO_BYTES_OF_A_TEXT + "@h/wallet"},
            "WALLET_DATABASE_URL: expected UTF-8",
        ),
        (
            {"WALLET_DEFAULT_CURRENCY": "usd"},
            "WALLET_DEFAULT_CURRENCY: expected three capital letters, or nothing",
        ),
        ({"WALLET_OBSERVERS": None}, "WALLET_OBSERVERS: is missing"),
        ({"WALLET_CHAIN_KEYS": ""}, "WALLET_CHAIN_KEYS: expected at least one, comma-separated"),
        ({"WALLET_CHAIN_KEYS": NO_BYTES_OF_A_TEXT}, "WALLET_CHAIN_KEYS: expected keys in UTF-8"),
        (
            LISTENS_EVERYWHERE,
            "WALLET_PLAINTEXT: only where listening on 127.0.0.1, [::1] or localhost",
        ),
        (
            {"WALLET_TLS_DIRECTORY": "/"},
            "WALLET_TLS_DIRECTORY: given beside …_PLAINTEXT=true: expected one of the two",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words_of_our_own(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str | None],
    expected: str,
) -> None:
    """And nothing is said of what is wrong only because of it."""
    for name, value in {**GOOD_WALLET, **changes}.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load_settings(WalletSettings)
    assert capsys.readouterr().err.splitlines() == [f"setting {expected}"]


def test_a_key_may_be_of_any_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GOOD_WALLET, "WALLET_CHAIN_KEYS": "ключ" * 10}.items():
        monkeypatch.setenv(name, value)
    assert len(load_settings(WalletSettings).chain_keys) == 1


PAYPAL = {
    "PAYPAL_CLIENT_ID": "client",
    "PAYPAL_CLIENT_SECRET": "hunter2",
    "PAYPAL_WEBHOOK_IDS": "8PT597110X687430L, 96605875FF6516633",
}


def test_paypal_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **PAYPAL, STRIPE_WEBHOOK_SECRETS="")
    assert settings.paypal_webhook_ids == ("8PT597110X687430L", "96605875FF6516633")
    assert settings.paypal_environment == "live"
    assert settings.paypal_api_base is None
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("kind", "mode", "livemode"),
    [("sk", "test", "true"), ("rk", "test", "true"), ("sk", "live", "false")],
)
def test_a_key_of_stripes_other_mode_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    mode: str,
    livemode: str,
) -> None:
    """Its answers would tell of payments by test cards, or have real money taken by a test."""
    key = f"{kind}_{mode}_hunter2"
    assert problems(monkeypatch, capsys, STRIPE_API_KEY=key, STRIPE_LIVEMODE=livemode) == [
        "STRIPE_API_KEY"
    ]
    expected = "false" if livemode == "true" else "true"
    settings = load(monkeypatch, STRIPE_API_KEY=key, STRIPE_LIVEMODE=expected)
    assert settings.stripe_api_key.get_secret_value() == key


@pytest.mark.parametrize("client_id", [" ", "a:b", "\u20ac"])
def test_a_client_id_that_cannot_be_sent_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], client_id: str
) -> None:
    found = problems(monkeypatch, capsys, **{**PAYPAL, "PAYPAL_CLIENT_ID": client_id})
    assert found == ["PAYPAL_CLIENT_ID"]


@pytest.mark.parametrize("missing", ["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET"])
def test_paypal_is_heard_with_its_credentials_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    assert problems(monkeypatch, capsys, **{**PAYPAL, missing: ""}) == ["PAYPAL_WEBHOOK_IDS"]


def test_the_webhook_id_of_simulated_events_is_for_the_sandbox_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody can have PayPal sign an event for it."""
    paypal = {**PAYPAL, "PAYPAL_WEBHOOK_IDS": "8PT597110X687430L,WEBHOOK_ID"}
    assert problems(monkeypatch, capsys, **paypal) == ["PAYPAL_WEBHOOK_IDS"]
    in_sandbox = load(monkeypatch, **paypal, PAYPAL_ENVIRONMENT="sandbox")
    assert "WEBHOOK_ID" in in_sandbox.paypal_webhook_ids


def test_where_an_api_may_be_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load(monkeypatch, STRIPE_API_BASE="https://stripe.example/v1")
    expected = "setting STRIPE_API_BASE: expected https://host, or http on this machine\n"
    assert capsys.readouterr().err == expected


def test_an_api_on_this_machine_may_be_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "http://127.0.0.1:54331"
    settings = load(monkeypatch, STRIPE_API_BASE=here, PAYPAL_API_BASE=here)
    assert (settings.stripe_api_base, settings.paypal_api_base) == (here, here)


@given(st.text("/?#@:[]%&=,1a", min_size=1))
def test_no_part_of_a_databases_password_is_taken_for_another_part(password: str) -> None:
    """The driver would quote a host, a port or a parameter that it does not understand."""
    url = f"postgresql://gateway:{password}@127.0.0.1:5432/db"
    with suppress(ValueError):
        require_database_url(SecretStr(url))
        parts = urlsplit(url)
        assert (parts.password, parts.netloc.rpartition("@")[2]) == (password, "127.0.0.1:5432")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///db?host=/run/postgresql&sslmode=require",
        "postgres://gateway@[::1]:5432/db",
        "postgresql://gateway:a%40b:c@one:5432,two:5432/db?target_session_attrs=primary",
    ],
)
def test_addresses_of_databases_that_are_taken(url: str) -> None:
    assert require_database_url(SecretStr(url)).get_secret_value() == url


@pytest.mark.parametrize("service", SETTINGS_TYPES)
def test_no_pattern_is_shown_to_whoever_does_not_fit_it(service: str) -> None:
    fields = SETTINGS_TYPES[service].model_fields
    for name, field in fields.items():
        if "pattern=" in repr(field):
            assert field.description, name
