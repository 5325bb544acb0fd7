"""Settings that nobody reads: most often misspelt, so that a default holds that nobody wanted."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from libs.secret_files import file_setting
from preflight.given import OWNERS, SERVICES, Given, all_secrets, all_settings, owner_setting
from preflight.problems import Problem

PREFIXES: Final = (
    *(f"{service.upper()}_" for service in SERVICES),
    *("STRIPE_", "PAYPAL_", "TWILIO_", "PREFLIGHT_", "OPEN_", "LOG_"),
)
# Read by docker-compose.yml.
OF_COMPOSE: Final = frozenset(
    f"{service.upper()}_{role}DATABASE_PASSWORD"
    for service in OWNERS
    for role in ("", "OWNER_", "READER_")
)
# What Kubernetes sets for each of its services.
OF_KUBERNETES: Final = re.compile(r"\w+_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_\w+)?)")


def unknown_settings(given: Given) -> Iterator[Problem]:
    """Tell of each that looks like one of ours, and is none."""
    known = all_settings() | OF_COMPOSE | set(map(owner_setting, OWNERS))
    known |= {file_setting(name) for name in all_secrets()}
    for name in given.environment:
        is_ours = name.startswith(PREFIXES) and not OF_KUBERNETES.fullmatch(name)
        if is_ours and name not in known:
            alike = get_close_matches(name, known, n=1)
            yield Problem(name, "is not known" + (f": is {alike[0]} meant?" if alike else ""))
