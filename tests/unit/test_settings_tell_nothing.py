"""What becomes of settings when they are shown, written or refused: no secret is among it."""

import secrets

import pytest
from pydantic import ValidationError

from dev.service_databases import SERVICES
from dev.stack.services import SETTINGS_TYPES
from dev.stack.settings import StackSettings, password_settings
from libs.config import OwnerSettings, ServiceSettings, load_settings
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.paypal.oauth import Credentials
from tests.support.canaries import plant, secrets_of, settings_with, told_of

# Those that are told a secret.
EACH = pytest.mark.parametrize("service", SERVICES)


def texts_of(settings: ServiceSettings) -> list[str]:
    """Return every way to write them all at once."""
    return [
        *(repr(settings), str(settings), f"{settings}", repr(vars(settings))),
        *(repr(settings.model_dump()), settings.model_dump_json(), repr(dict(settings))),
        repr(settings.model_dump(mode="json")),
        repr(settings.model_copy(update={"log_level": "DEBUG"})),
    ]


def told_anywhere(planted: dict[str, str], texts: list[str]) -> set[str]:
    return told_of(planted, "\n".join(texts))


@EACH
def test_no_dump_of_settings_tells_a_secret(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = plant()
    for name, value in settings_with(planted, service).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(SETTINGS_TYPES[service])
    assert isinstance(settings, OwnerSettings)
    assert told_anywhere(planted, texts_of(settings)) == set()
    # Nor was it just not read.
    assert password_settings(service)[1] in told_of(
        planted, settings.database_url.get_secret_value()
    )


@EACH
def test_no_error_of_settings_quotes_a_secret(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lets it end in a traceback, or logs it. Of what is longer, only a part would show."""
    planted = {name: secrets.token_hex(8) for name in secrets_of(service)}
    for name, value in {**settings_with(plant(), service), **planted}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        SETTINGS_TYPES[service]()
    assert "DATABASE_URL" in str(refused.value).upper()
    assert told_anywhere(planted, [str(refused.value), repr(refused.value)]) == set()


def test_nothing_that_holds_a_secret_shows_it() -> None:
    planted = plant()
    holders = [
        ClaimKeys((planted["BILLING_GATEWAY_CLAIM_KEYS"].encode(),)),
        Credentials("client", planted["PAYPAL_CLIENT_SECRET"]),
        StackSettings.model_validate({"DATABASE_URL": planted["WALLET_DATABASE_PASSWORD"]}),
    ]
    assert told_anywhere(planted, [f"{each!r} {each}" for each in holders]) == set()


def test_what_a_secret_is_called_tells_that_it_is_one() -> None:
    """So that no setting which is one by its name is a plain text by its type."""
    secret = set().union(*map(secrets_of, SETTINGS_TYPES))
    words = ("SECRET", "TOKEN", "PASSWORD", "KEY", "DATABASE_URL")
    for type_ in SETTINGS_TYPES.values():
        for field, info in type_.model_fields.items():
            name = str(info.validation_alias or field).upper()
            if any(word in name for word in words):
                assert any(each.endswith(name) for each in secret), name
