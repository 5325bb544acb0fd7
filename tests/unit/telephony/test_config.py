"""Settings come from the environment: Twilio's own under Twilio's names, the rest with a prefix."""

from datetime import timedelta

import pytest

from libs.config import load_settings
from services.telephony.config import TelephonySettings

PARENT = f"AC{'0' * 32}"
ENVIRONMENT = {
    "TELEPHONY_DATABASE_URL": "postgresql://telephony@localhost/telephony",
    "TWILIO_ACCOUNT_SID": PARENT,
    "TELEPHONY_PLAINTEXT": "true",
    "TWILIO_AUTH_TOKEN": "a secret of Twilio's",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The least that must be set."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_least_that_is_needed(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings(TelephonySettings)
    assert settings.twilio_account_sid == PARENT
    assert settings.twilio_auth_token.get_secret_value() == "a secret of Twilio's"
    assert settings.twilio_api_base == "https://api.twilio.com"
    assert settings.listen_address == "127.0.0.1:50053"
    assert settings.metrics_address == "127.0.0.1:9103"


def test_a_lease_outlasts_every_call_that_is_made_under_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TELEPHONY_TWILIO_TIMEOUT_SECONDS", "7")
    assert load_settings(TelephonySettings).reconcile_timing.lease > timedelta(seconds=3 * 7)


def test_the_token_does_not_show(environment: pytest.MonkeyPatch) -> None:
    assert "a secret" not in repr(load_settings(TelephonySettings))


def test_all_that_is_missing_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_settings(TelephonySettings)
    said = capsys.readouterr().err
    for name in ENVIRONMENT.keys() - {"TELEPHONY_PLAINTEXT"}:
        assert f"setting {name}: " in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_ACCOUNT_SID", "SK123"),
        ("TWILIO_AUTH_TOKEN", ""),
        ("TWILIO_API_BASE", "api.twilio.com"),
        ("TELEPHONY_TWILIO_CONCURRENCY", "1"),
        ("TELEPHONY_TWILIO_TIMEOUT_SECONDS", "0"),
    ],
)
def test_what_makes_no_sense_is_said_by_its_name(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SystemExit):
        load_settings(TelephonySettings)
    assert f"setting {name}: " in capsys.readouterr().err
