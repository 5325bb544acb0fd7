"""Secrets that are planted, to be looked for wherever something is told."""

import base64
import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from dev.service_databases import SERVICES
from dev.stack.services import SETTINGS_TYPES, development_settings
from dev.stack.settings import database_setting, password_settings
from libs.config import secret_settings
from tests.support.services import free_address

BYTES = 24
ACCOUNT_SID = "AC" + "0" * 32
PAYPAL_CLIENT_ID = "client-of-a-test"
# Several at once, comma-separated: a new one and an old one.
KEYS = ("WALLET_CHAIN_KEYS", "BILLING_GATEWAY_CLAIM_KEYS", "STRIPE_WEBHOOK_SECRETS")
# What else is refused at once.
BEGINNINGS = {
    "STRIPE_WEBHOOK_SECRETS": "whsec_",
    "STRIPE_API_KEY": "sk_test_",
    "SENTRY_DSN": "http://",
}
# Nobody takes reports there.
ENDINGS = {"SENTRY_DSN": "@127.0.0.1:9/1"}
SENDERS = {"TWILIO_AUTH_TOKEN": ACCOUNT_SID, "PAYPAL_CLIENT_SECRET": PAYPAL_CLIENT_ID}


def secrets_of(service: str) -> set[str]:
    """Return the settings of a service that are secrets by their type."""
    return set(secret_settings(SETTINGS_TYPES[service]))


def plant() -> dict[str, str]:
    """Return a value for every secret that any service is told of, and its databases' passwords."""
    of_services = set().union(*map(secrets_of, SETTINGS_TYPES))
    passwords = {name for service in SERVICES for name in password_settings(service)}
    names = passwords | of_services - set(map(database_setting, SERVICES))
    return {name: ",".join(_new_secrets(name)) for name in names}


def _new_secrets(name: str) -> list[str]:
    count = 2 if name in KEYS else 1
    begin, end = BEGINNINGS.get(name, ""), ENDINGS.get(name, "")
    return [begin + secrets.token_hex(BYTES) + end for _ in range(count)]


def settings_with(planted: Mapping[str, str], service: str) -> dict[str, str]:
    """Return settings with which a service starts, though nobody is where it looks for others."""
    _, password, _ = password_settings(service)
    nobody = {each: free_address() for each in SETTINGS_TYPES}
    return {
        **development_settings(nobody, {}),
        **{name: value for name, value in planted.items() if name in secrets_of(service)},
        f"{service.upper()}_PLAINTEXT": "true",
        database_setting(service): f"postgresql://u:{planted[password]}@{free_address()}/d",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "PAYPAL_CLIENT_ID": PAYPAL_CLIENT_ID,
        "PAYPAL_WEBHOOK_IDS": "1JE4291016473214C",
    }


def told_of(planted: Mapping[str, str], text: str) -> set[str]:
    """Return the names of the secrets in a text: they themselves must not be told here either."""
    return {name for name, form in _forms_of(planted) if form in text}


def _forms_of(planted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what each would be known by: a half of it, also as PostgreSQL shows bytes; a header."""
    for name, value in planted.items():
        for each in value.split(","):
            secret = urlsplit(each).username or each
            for half in (secret[: len(secret) // 2], secret[len(secret) // 2 :]):
                yield name, half
                yield name, half.encode().hex()
        if name in SENDERS:
            sent = base64.b64encode(f"{SENDERS[name]}:{value}".encode()).decode()
            yield name, sent[-BYTES:]
