"""Whether real money goes to, and comes from, where it should."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from preflight.given import Given
from preflight.offline.access import FALSE
from preflight.problems import Problem

# Twilio's regions have names of their own: api.dublin.ie1.twilio.com.
HOSTS: Final = {
    "STRIPE_API_BASE": ("api.stripe.com", ""),
    "PAYPAL_API_BASE": ("api-m.paypal.com", ""),
    "TWILIO_API_BASE": ("api.twilio.com", ".twilio.com"),
}
# A delivery that somebody has recorded is good for as long.
TOLERANCE_SECONDS_MAX: Final = 600.0


def sandboxes(given: Given) -> Iterator[Problem]:
    """Tell of play money."""
    if given.value("STRIPE_LIVEMODE").lower() in FALSE:
        yield Problem("STRIPE_LIVEMODE", "is false: what is paid by test cards would be credited")
    if given.value("PAYPAL_ENVIRONMENT") == "sandbox":
        yield Problem("PAYPAL_ENVIRONMENT", "is sandbox: its play money would be credited")


def strange_hosts(given: Given) -> Iterator[Problem]:
    """Tell of simulators, and of whoever else would be given the credentials."""
    for name, (host, ending) in HOSTS.items():
        value = given.value(name)
        asked = urlsplit(value).hostname or ""
        if value and asked != host and not (ending and asked.endswith(ending)):
            yield Problem(name, f"is another host than {host}, and is given the credentials")


def long_tolerance(given: Given) -> Iterator[Problem]:
    """Tell of signatures that are believed for long."""
    settings = given.billing_gateway
    if settings and settings.stripe_signature_tolerance_seconds > TOLERANCE_SECONDS_MAX:
        yield Problem(
            "STRIPE_SIGNATURE_TOLERANCE_SECONDS",
            f"is more than {TOLERANCE_SECONDS_MAX:g}: what was recorded can be sent again",
        )
