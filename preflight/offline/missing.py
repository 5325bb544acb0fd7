"""What a service starts without, and nobody should go live without."""

from collections.abc import Iterator, Mapping
from typing import Final

from preflight.given import OWNERS, Given, owner_setting
from preflight.problems import Problem

NEEDED: Final[Mapping[str, str]] = {
    **{owner_setting(service): "the database is migrated by it" for service in OWNERS},
    "BILLING_GATEWAY_CLAIM_KEYS": "what Tollgate made at a provider could not be told from what "
    "others did",
    "SENTRY_DSN": "nobody would hear of errors",
}
# Whoever sets one of a provider's is to set all.
PROVIDERS: Final[tuple[Mapping[str, str], ...]] = (
    {
        "STRIPE_WEBHOOK_SECRETS": "Stripe could not be heard",
        "STRIPE_API_KEY": "Stripe could not be asked",
    },
    {
        "PAYPAL_WEBHOOK_IDS": "PayPal could not be heard",
        "PAYPAL_CLIENT_ID": "PayPal could not be asked",
        "PAYPAL_CLIENT_SECRET": "PayPal could not be asked",
    },
)
# What each would never hear of.
OBSERVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "WALLET_OBSERVERS": ("campaign", "telephony"),
    "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS": ("wallet", "campaign", "telephony"),
}


def missing_settings(given: Given) -> Iterator[Problem]:
    """Tell of each that is not set."""
    used = [names for names in PROVIDERS if any(map(given.value, names))]
    for names in (NEEDED, *used):
        for name, why in names.items():
            # What is in a file that cannot be read is told of elsewhere.
            if not given.value(name) and not given.environment.get(f"{name}_FILE"):
                yield Problem(name, f"is missing: {why}")


def missing_observers(given: Given) -> Iterator[Problem]:
    """Tell of services that would go on with what they know for ever."""
    for name, wanted in OBSERVERS.items():
        told = {each.partition("=")[0].strip() for each in given.value(name).split(",")}
        left = [service for service in wanted if service not in told]
        if given.value(name) and left:
            yield Problem(name, f"does not name {', '.join(left)}, which would hear nothing")


def mistaken_addresses(given: Given) -> Iterator[Problem]:
    """Tell of one that is said to be two services': one of them would never hear anything."""
    first: dict[str, tuple[str, str]] = {}
    for setting, service, address in _addresses(given):
        told, other = first.setdefault(address, (setting, service))
        if other != service:
            yield Problem(setting, f"has for {service} the address that {told} has for {other}")


def _addresses(given: Given) -> Iterator[tuple[str, str, str]]:
    for setting in (*OBSERVERS, "OPERATOR_CONSOLE_SERVICES"):
        for each in given.value(setting).split(","):
            service, _, address = each.partition("=")
            if address:
                yield setting, service.strip(), address.strip()
    if given.value("WALLET_ADDRESS"):
        yield "WALLET_ADDRESS", "wallet", given.value("WALLET_ADDRESS")
