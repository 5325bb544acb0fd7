"""A good environment passes; each setting that is missing or unsafe is told of in one line."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.certificates import Wanted, write_identity
from dev.stack.services import SETTINGS_TYPES
from libs.config import secret_settings
from preflight import given
from preflight.given import read_given
from preflight.offline import check_settings
from preflight.problems import to_lines
from tests.support.certificates import read_signer
from tests.support.good_environment import good_environment

ROOT = Path(__file__).parents[3]
# As long as one that was made by chance, and the same in all processes that run tests.
KEY = "k7Qm2ZxT9vLc4RbN8wYhJ3sDfG6pUeA1oXiVtKqBnMz"
SECRET = "hunter2-and-hunter2"
URL = "postgresql://{user}:{password}@{host}/{name}"
OWNERS = ("WALLET", "CAMPAIGN", "TELEPHONY", "BILLING_GATEWAY")
SERVICES = (*OWNERS, "OPERATOR_CONSOLE")
HOSTS = ("127.0.0.1",)

# Not set, a default holds that is good.
SETTINGS = (
    *(f"{service}_TLS_DIRECTORY" for service in SERVICES),
    *(f"{service}_{role}DATABASE_URL" for service in OWNERS for role in ("", "OWNER_")),
    *("WALLET_OBSERVERS", "WALLET_CHAIN_KEYS", "WALLET_ADDRESS"),
    *("BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS", "BILLING_GATEWAY_CLAIM_KEYS"),
    *("OPERATOR_CONSOLE_SERVICES", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"),
    *("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"),
    *("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_IDS"),
    *("SENTRY_DSN", "PREFLIGHT_OPERATOR_TLS_DIRECTORY", "PREFLIGHT_ALERTMANAGER_URL"),
    *("PREFLIGHT_BACKUP_FILE", "PREFLIGHT_RESTORE_REHEARSAL_DATE", "PREFLIGHT_BASELINE_FILE"),
)
DAYS_AGO = {days: f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}" for days in (-2, 181)}
UNSAFE = [
    *((f"{service}_PLAINTEXT", "true") for service in SERVICES),
    *((f"{service}_TLS_DIRECTORY", "/nowhere") for service in SERVICES),
    *((f"{service}_LISTEN_ADDRESS", "0.0.0.0:99999") for service in SERVICES),
    ("OPEN_REFLECTION", "true"),
    ("SENTRY_DSN", "hunter2"),
    ("LOG_LEVEL", "WARNING"),
    ("LOG_LEVEL", "LOUD"),
    ("WALLET_CHAIN_KEYS", SECRET),
    ("WALLET_CHAIN_KEYS", f"{KEY},{KEY}"),
    ("WALLET_CHAIN_KEYS", "hunter" * 6),
    ("BILLING_GATEWAY_CLAIM_KEYS", f"{KEY},{KEY}"),
    ("BILLING_GATEWAY_CLAIM_KEYS", "0123" * 8),
    ("BILLING_GATEWAY_TRUST_CLAIMED_ORGANIZATIONS", "true"),
    ("WALLET_OBSERVERS", "campaign=campaign:50052"),
    ("BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS", "wallet=wallet:50051,campaign=campaign:50052"),
    # Telephony would hear nothing, and campaigns answer for it.
    ("WALLET_OBSERVERS", "campaign=campaign:50052,telephony=campaign:50052"),
    ("WALLET_ADDRESS", "telephony:50053"),
    ("OPERATOR_CONSOLE_SERVICES", "wallet=wallet:50051"),
    ("OPERATOR_CONSOLE_GRPCURL_OPTIONS", "-insecure"),
    ("OPERATOR_CONSOLE_GRPCURL_OPTIONS", "-plaintext"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4317"),
    ("STRIPE_LIVEMODE", "false"),
    ("STRIPE_API_KEY", f"sk_test_{SECRET.replace('-', '')}"),
    ("STRIPE_API_BASE", "http://127.0.0.1:54332"),
    ("STRIPE_API_BASE", "https://api.stripe.com.example"),
    ("STRIPE_SIGNATURE_TOLERANCE_SECONDS", "86400"),
    ("STRIPE_WEBHOOK_SECRETS", SECRET),
    ("PAYPAL_ENVIRONMENT", "sandbox"),
    ("PAYPAL_API_BASE", "http://127.0.0.1:54331"),
    ("PAYPAL_WEBHOOK_IDS", "WEBHOOK_ID"),
    ("TWILIO_API_BASE", "http://127.0.0.1:54330"),
    ("TWILIO_API_BASE", "https://twilio.com.example"),
    ("TWILIO_ACCOUNT_SID", "SK123"),
    ("PREFLIGHT_OPERATOR_TLS_DIRECTORY", "/"),
    ("PREFLIGHT_ALERTMANAGER_URL", "alertmanager"),
    ("PREFLIGHT_BACKUP_FILE", "/nowhere"),
    ("PREFLIGHT_BACKUP_FILE", str(ROOT)),
    ("PREFLIGHT_RESTORE_REHEARSAL_DATE", DAYS_AGO[181]),
    ("PREFLIGHT_RESTORE_REHEARSAL_DATE", DAYS_AGO[-2]),
    ("PREFLIGHT_BASELINE_FILE", "/nowhere"),
    ("PREFLIGHT_BASELINE_FILE", str(ROOT / "pyproject.toml")),
    # Misspelt, so that a default holds.
    ("WALLET_HOLD_LATE_WINDOW_SECOND", "3600"),
    ("TELEPHONY_END_CALL", "false"),
    ("STRIPE_WEBHOOK_SECRET", f"whsec_{SECRET}"),
    ("TWILIO_AUTHTOKEN", SECRET),
    ("OPEN_REFLECTIONS", "false"),
    ("PREFLIGHT_BACKUP", "/backup"),
]
UNSAFE_URLS = [
    # Nothing proves the server.
    ("{}_DATABASE_URL", "postgresql://{}:hunter2-and-hunter2@db.example/{}"),
    ("{}_DATABASE_URL", "postgresql://{}:hunter2-and-hunter2@db.example/{}?sslmode=require"),
    ("{}_DATABASE_URL", "postgresql://{}:hunter2-and-hunter2@127.0.0.1,db.example/{}"),
    ("{}_OWNER_DATABASE_URL", "postgresql://{}_owner:hunter2-and-hunter2@db.example/{}"),
    # It can be guessed.
    ("{}_DATABASE_URL", "postgresql://{}:hunter2@127.0.0.1/{}"),
    ("{}_DATABASE_URL", "postgresql://{}:hunterhunterhunterhunter@127.0.0.1/{}"),
    ("{}_DATABASE_URL", "postgresql:///{1}?host=/run/postgresql&user={0}"),
    # It may change the past.
    ("{}_DATABASE_URL", "postgresql://{}_owner:hunter2-and-hunter2@127.0.0.1/{}"),
    ("{}_OWNER_DATABASE_URL", "mysql://{}_owner:hunter2-and-hunter2@127.0.0.1/{}"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environment")


@pytest.fixture(scope="module")
def good(directory: Path) -> dict[str, str]:
    return good_environment(directory)


Look = Callable[[dict[str, str]], list[str]]


@pytest.fixture
def look(good: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Look:
    """Set all that is good but for some changes, and tell what is found."""

    def look(changes: dict[str, str]) -> list[str]:
        environment = {name: value for name, value in {**good, **changes}.items() if value}
        for name in os.environ:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        lines = to_lines(check_settings(read_given(environment)))
        assert "hunter2" not in "\n".join(lines)
        return lines

    return look


def test_a_good_environment_passes(look: Look) -> None:
    assert look({}) == []


def test_it_knows_all_services() -> None:
    assert set(SETTINGS_TYPES.values()) <= set(given.SETTINGS_TYPES)
    assert set(given.SERVICES) == set(SETTINGS_TYPES)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_missing_is_told_in_one_line(look: Look, name: str) -> None:
    [line] = look({name: ""})
    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_what_is_unsafe_is_told_in_one_line(look: Look, name: str, value: str) -> None:
    [line] = look({name: value})
    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize("service", [service.lower() for service in OWNERS])
@pytest.mark.parametrize(("name", "url"), UNSAFE_URLS)
def test_an_unsafe_database_is_told_in_one_line(
    look: Look, name: str, url: str, service: str
) -> None:
    setting = name.format(service.upper())
    [line] = look({setting: url.format(service, service)})
    assert line.startswith(f"{setting}: ")


def test_a_database_of_this_machine_needs_no_proof(look: Look) -> None:
    near = "postgresql://wallet:hunter2-and-hunter2@[::1]:5432/wallet"
    assert look({"WALLET_DATABASE_URL": near}) == []


def test_a_database_that_is_said_to_be_near_needs_no_proof(
    look: Look, good: dict[str, str]
) -> None:
    assert len(look({"WALLET_DATABASE_URL": f"postgresql://wallet:{KEY}@postgres/wallet"})) == 1
    environment = good | {"WALLET_DATABASE_URL": os.environ["WALLET_DATABASE_URL"]}
    assert check_settings(read_given(environment, near_hosts=frozenset({"postgres"}))) == []


def test_two_services_have_two_databases(look: Look, good: dict[str, str]) -> None:
    url = good["WALLET_DATABASE_URL"].replace("//wallet:", "//campaign:").replace("/1", "/2")
    [line] = look({"CAMPAIGN_DATABASE_URL": url.replace(good_password(url), KEY)})
    assert line == "CAMPAIGN_DATABASE_URL: is the database of WALLET_DATABASE_URL too"


def good_password(url: str) -> str:
    return url.partition("@")[0].rpartition(":")[2]


@pytest.mark.parametrize("name", [*SETTINGS_TYPES])
def test_no_secret_serves_twice(look: Look, good: dict[str, str], name: str) -> None:
    for setting in secret_settings(SETTINGS_TYPES[name]):
        if setting.endswith("_KEYS"):
            lines = look({setting: KEY, "TWILIO_AUTH_TOKEN": KEY})
            assert len(lines) == 1
            assert "has a secret of" in lines[0]


@pytest.mark.parametrize("service", SERVICES)
def test_a_certificate_that_expires_soon_is_told(
    look: Look, good: dict[str, str], directory: Path, tmp_path: Path, service: str
) -> None:
    setting = f"{service}_TLS_DIRECTORY"
    role, name = Path(good[setting]).parts[-2:]
    signer = read_signer(directory / "certificates")
    for days, expected in ((334, 0), (336, 1)):
        begun = datetime.now(UTC) - timedelta(days=days)
        write_identity(tmp_path / str(days), signer, Wanted(role, name, HOSTS), begun)
        lines = look({setting: str(tmp_path / str(days))})
        assert [line.partition(": ")[0] for line in lines] == [setting] * expected


def test_a_certificate_of_another_role_is_told(look: Look, good: dict[str, str]) -> None:
    [line] = look({"WALLET_TLS_DIRECTORY": good["CAMPAIGN_TLS_DIRECTORY"]})
    assert line == "WALLET_TLS_DIRECTORY: tls.crt is of the role campaign, not wallet"


@pytest.mark.parametrize("mode", [0o640, 0o644])
def test_a_file_that_everybody_reads_is_told(
    look: Look, good: dict[str, str], tmp_path: Path, mode: int
) -> None:
    is_open = mode & 0o004 != 0
    file = tmp_path / "secret"
    for setting in ("WALLET_CHAIN_KEYS", "TWILIO_AUTH_TOKEN", "WALLET_OWNER_DATABASE_URL"):
        file.write_text(good[setting])
        file.chmod(mode)
        lines = look({setting: "", f"{setting}_FILE": str(file)})
        assert [line.partition(": ")[0] for line in lines] == [f"{setting}_FILE"] * is_open
    key = Path(good["WALLET_TLS_DIRECTORY"]) / "tls.key"
    key.chmod(mode)
    lines = look({})
    key.chmod(0o600)
    assert [line.partition(": ")[0] for line in lines] == ["WALLET_TLS_DIRECTORY"] * is_open


@pytest.mark.parametrize("setting", ["WALLET_CHAIN_KEYS", "WALLET_OWNER_DATABASE_URL"])
def test_a_file_that_is_not_there_is_told(look: Look, setting: str) -> None:
    [line] = look({setting: "", f"{setting}_FILE": "/nowhere"})
    assert line == f"{setting}: what {setting}_FILE names: No such file or directory"


def test_a_provider_that_is_not_used_needs_nothing(look: Look) -> None:
    stripe = ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS")
    paypal = ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_IDS")
    assert look(dict.fromkeys(stripe, "")) == []
    assert look(dict.fromkeys(paypal, "")) == []
    assert len(look(dict.fromkeys((*stripe, *paypal), ""))) == 1


def test_what_kubernetes_and_compose_set_is_no_mistake(look: Look) -> None:
    set_by_others = {
        "WALLET_SERVICE_HOST": "10.0.0.1",
        "WALLET_SERVICE_PORT_GRPC": "50051",
        "WALLET_PORT": "tcp://10.0.0.1:50051",
        "WALLET_PORT_50051_TCP_ADDR": "10.0.0.1",
        "WALLET_READER_DATABASE_PASSWORD": SECRET,
    }
    assert look(set_by_others) == []


def test_a_backup_of_another_day_is_none(look: Look, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    # A clock that was wrong once would make it young for ever.
    for hours, expected in ((25, 0), (27, 1), (-1, 1)):
        backup.touch()
        made = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
        os.utime(backup, (made, made))
        assert len(look({"PREFLIGHT_BACKUP_FILE": str(backup)})) == expected


def run_preflight(file: Path, *options: str, **environment: str) -> tuple[int, list[str]]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "preflight", "--offline", str(file), *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def test_the_program_reads_a_file_and_nothing_else(good: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "production.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in good.items()))
    assert run_preflight(file, OPEN_REFLECTION="true") == (0, [])
    with file.open("a") as opened:
        opened.write("STRIPE_LIVEMODE=false\n\n# Made up by `make run`, for development only.\n")
    file.chmod(0o644)
    code, lines = run_preflight(file)
    assert code == 1
    assert [line.partition(": ")[0] for line in lines] == [str(file), "STRIPE_LIVEMODE"]
    assert "`make run` made up" in lines[0]
    assert "by everybody" in lines[0]
    assert run_preflight(tmp_path / "nowhere")[0] == 1
