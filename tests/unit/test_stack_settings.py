"""What `make run` is told, and what it makes up for itself."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from dev.stack.databases import migrate_databases
from dev.stack.doors import plan_doors, refuse_taken_doors
from dev.stack.errors import StackError
from dev.stack.screen import table_of
from dev.stack.services import (
    SETTINGS_TYPES,
    development_settings,
    service_environment,
)
from dev.stack.settings import (
    CHECKOUT,
    keep_in_env_file,
    made_up_values,
    read_environment,
    read_settings,
)
from libs.config import load_settings, setting_names
from services.billing_gateway.config import BillingGatewaySettings

GIVEN_DATABASES = {
    f"{service}_DATABASE_URL": f"postgresql://db.example/{service}"
    for service in ("WALLET", "CAMPAIGN", "TELEPHONY", "BILLING_GATEWAY")
}

REAL_PROVIDERS = {
    "TWILIO_API_BASE": "https://api.twilio.example",
    "PAYPAL_ENVIRONMENT": "sandbox",
    "STRIPE_API_BASE": "https://api.stripe.example",
}


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `.env` of this test."""
    monkeypatch.setenv("TOLLGATE_ENV_FILE", str(tmp_path / ".env"))
    return tmp_path / ".env"


def test_the_process_environment_stands_over_the_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("WALLET_DEFAULT_CURRENCY=EUR\nLOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    environment = read_environment()
    assert environment["WALLET_DEFAULT_CURRENCY"] == "EUR"
    assert environment["LOG_LEVEL"] == "WARNING"


def test_an_empty_value_is_none_but_where_nothing_is_an_answer(env_file: Path) -> None:
    env_file.write_text("TWILIO_AUTH_TOKEN=\nWALLET_DEFAULT_CURRENCY=\n")
    environment = read_environment()
    assert "TWILIO_AUTH_TOKEN" in made_up_values(environment)
    assert environment["WALLET_DEFAULT_CURRENCY"] == ""


def test_for_what_stands_in_a_file_nothing_is_made_up(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_file = env_file.with_name("token")
    token_file.write_text("hunter2\n")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN_FILE", str(token_file))
    environment = read_environment()
    assert environment["TWILIO_AUTH_TOKEN"] == "hunter2"
    assert "TWILIO_AUTH_TOKEN" not in made_up_values(environment)
    token_file.unlink()
    with pytest.raises(StackError, match="setting TWILIO_AUTH_TOKEN: "):
        read_environment()


def test_what_is_made_up_is_made_up_once_and_kept_from_others(env_file: Path) -> None:
    env_file.write_text("WALLET_DEFAULT_CURRENCY=EUR")
    env_file.chmod(0o644)
    made_up = made_up_values(read_environment())
    keep_in_env_file(made_up)
    environment = read_environment()
    assert made_up.items() <= environment.items()
    assert environment["WALLET_DEFAULT_CURRENCY"] == "EUR"
    assert made_up_values(environment) == {}
    assert env_file.stat().st_mode & 0o777 == 0o600


def test_nothing_is_made_up_for_what_is_real() -> None:
    given = {**GIVEN_DATABASES, **REAL_PROVIDERS}
    assert made_up_values(given) == {}
    doors = plan_doors(read_settings(given), given)
    assert doors.postgres is None
    assert doors.simulators == {}


@pytest.mark.parametrize(
    ("setting", "simulated"),
    [
        ("TWILIO_API_BASE", {"paypal", "stripe"}),
        ("PAYPAL_API_BASE", {"twilio", "stripe"}),
        ("PAYPAL_ENVIRONMENT", {"twilio", "stripe"}),
        ("STRIPE_API_BASE", {"twilio", "paypal"}),
    ],
)
def test_who_says_where_a_provider_is_means_the_real_one(setting: str, simulated: set[str]) -> None:
    given = {setting: REAL_PROVIDERS.get(setting, "https://api.example")}
    assert plan_doors(read_settings(given), given).simulators.keys() == simulated
    made_up = {name.partition("_")[0] for name in made_up_values(given)}
    assert not made_up & {setting.partition("_")[0]}


def test_what_is_made_up_makes_a_gateway_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = made_up_values({})
    doors = plan_doors(read_settings({}), {})
    told = development_settings(doors.grpc_addresses, doors.simulator_urls)
    url = {"BILLING_GATEWAY_DATABASE_URL": GIVEN_DATABASES["BILLING_GATEWAY_DATABASE_URL"]}
    # Its certificates are made where the stack starts.
    given = made_up | told | url | {"BILLING_GATEWAY_PLAINTEXT": "true"}
    for name, value in service_environment("billing_gateway", given).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(BillingGatewaySettings)
    assert settings.paypal_environment == "sandbox"
    assert settings.paypal_api_base == doors.simulator_urls["paypal"]
    assert settings.stripe_api_base == doors.simulator_urls["stripe"]
    assert settings.paypal_webhook_ids == (made_up["PAYPAL_WEBHOOK_IDS"],)
    assert settings.stripe_api_key.get_secret_value() == made_up["STRIPE_API_KEY"]
    assert len(settings.claim_keys) == 1


def test_no_setting_of_a_service_knows_a_simulator_or_relaxes_what_is_verified() -> None:
    words = re.compile("simulat|insecure|root|certificate")
    for settings_type in SETTINGS_TYPES.values():
        names = " ".join([*settings_type.model_fields, *setting_names(settings_type).values()])
        assert not words.findall(names.lower())
    for service in SETTINGS_TYPES:
        for file in (CHECKOUT / "services" / service).rglob("*.py"):
            assert not re.search(r"simulator|\bdev\.", file.read_text().lower()), file


def test_a_server_of_ones_own_replaces_the_embedded_one() -> None:
    given = {"DATABASE_URL": "postgresql://postgres:hunter2@db.example/postgres"}
    assert plan_doors(read_settings(given), given).postgres is None
    assert "hunter2" not in repr(read_settings(given))
    assert "WALLET_DATABASE_PASSWORD" in made_up_values(given)


@pytest.mark.parametrize("width", [80, 60])
def test_every_door_is_shown_whole_however_narrow_the_terminal_is(width: int) -> None:
    doors = plan_doors(read_settings({}), {})
    console = Console(width=width, file=io.StringIO())
    with console.capture() as shown:
        console.print(table_of(doors))
    assert "…" not in shown.get()
    together = "".join(shown.get().split())
    assert all(door.address in together for door in doors.all())


def test_a_service_is_told_only_what_it_knows_how_to_use() -> None:
    environment = {
        **GIVEN_DATABASES,
        "TWILIO_AUTH_TOKEN": "secret",
        "STRIPE_WEBHOOK_SECRETS": "whsec_secret",
        "PATH": "/bin",
    }
    assert service_environment("campaign", environment) == {
        "CAMPAIGN_DATABASE_URL": GIVEN_DATABASES["CAMPAIGN_DATABASE_URL"],
        "PATH": "/bin",
    }


def test_services_are_told_where_the_others_are_reached() -> None:
    given = {"WALLET_LISTEN_ADDRESS": "0.0.0.0:6001", "CAMPAIGN_LISTEN_ADDRESS": "[::]:6002"}
    addresses = plan_doors(read_settings(given), given).grpc_addresses
    told = development_settings(addresses, {})
    assert told["WALLET_ADDRESS"] == "127.0.0.1:6001"
    assert told["WALLET_OBSERVERS"] == "campaign=[::1]:6002,telephony=127.0.0.1:50053"
    assert "TWILIO_API_BASE" not in told


def test_one_address_given_twice_is_refused() -> None:
    given = {"TOLLGATE_POSTGRES_PORT": "54331", "TOLLGATE_TWILIO_SIMULATOR_PORT": "54331"}
    doors = plan_doors(read_settings(given), given)
    with pytest.raises(StackError, match="TOLLGATE_POSTGRES_PORT"):
        refuse_taken_doors(filter(None, [doors.simulators["twilio"], doors.postgres]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOLLGATE_POSTGRES_PORT", "many"),
        ("WALLET_LISTEN_ADDRESS", "127.0.0.1"),
        ("BILLING_GATEWAY_HTTP_ADDRESS", "127.0.0.1:70000"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(name: str, value: str) -> None:
    given = {name: value}
    with pytest.raises(StackError, match=f"setting {name}: "):
        plan_doors(read_settings(given), given)


async def test_an_owners_address_that_cannot_be_read_is_not_quoted() -> None:
    wrong = {
        f"{service}_OWNER_DATABASE_URL": "postgresql://owner:hunter2/x@db.example/x"
        for service in ("WALLET", "CAMPAIGN", "TELEPHONY", "BILLING_GATEWAY")
    }
    with pytest.raises(StackError, match="cannot be migrated: expected postgresql://") as refused:
        await migrate_databases(wrong)
    assert "hunter2" not in str(refused.value)
