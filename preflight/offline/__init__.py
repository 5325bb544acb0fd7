"""What can be told from the settings themselves."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from preflight.given import Given
from preflight.offline.access import (
    expiring_certificates,
    heard_by_others,
    open_doors,
    silent_log,
)
from preflight.offline.databases import mighty_roles, unproven_servers, unusable_owner_urls
from preflight.offline.missing import (
    missing_observers,
    missing_settings,
    mistaken_addresses,
)
from preflight.offline.names import unknown_settings
from preflight.offline.providers import long_tolerance, sandboxes, strange_hosts
from preflight.offline.records import no_baseline, old_backup, old_rehearsal
from preflight.offline.secrets import (
    development_file,
    readable_files,
    shared_secrets,
    weak_keys,
    weak_passwords,
)
from preflight.problems import Problem

CHECKS: Final[tuple[Callable[[Given], Iterator[Problem]], ...]] = (
    missing_settings,
    missing_observers,
    mistaken_addresses,
    unknown_settings,
    development_file,
    readable_files,
    weak_keys,
    weak_passwords,
    shared_secrets,
    open_doors,
    heard_by_others,
    expiring_certificates,
    silent_log,
    sandboxes,
    strange_hosts,
    long_tolerance,
    unusable_owner_urls,
    unproven_servers,
    mighty_roles,
    old_backup,
    old_rehearsal,
    no_baseline,
)
NAMES: Final = re.compile(r"[A-Z][A-Z_]{3,}[A-Z]")


def check_settings(given: Given) -> list[Problem]:
    """Return what is missing or unsafe; nothing twice, in other words."""
    found = [problem for check in CHECKS for problem in check(given)]
    told = {problem.subject for problem in found}
    return found + [problem for problem in given.refused if not _follows(problem, told)]


def _follows(problem: Problem, told: set[str]) -> bool:
    """Tell whether it is there because of another setting that was told of."""
    others = told - {problem.subject}
    return any(other.endswith(name) for name in NAMES.findall(problem.message) for other in others)
