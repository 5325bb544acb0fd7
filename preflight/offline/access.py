"""Who may call, and who could listen."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from libs.rpc.credentials import read_certificates
from libs.rpc.proof import CertificatesUnusableError
from preflight.given import SERVICES, Given
from preflight.problems import Problem

TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE: Final = frozenset({"0", "false", "f", "no", "n", "off"})
LEFT_MIN: Final = timedelta(days=30)
DIRECTORIES: Final = (
    *(f"{service.upper()}_TLS_DIRECTORY" for service in SERVICES),
    "PREFLIGHT_OPERATOR_TLS_DIRECTORY",
)


def open_doors(given: Given) -> Iterator[Problem]:
    """Tell of what is for development only."""
    for service in SERVICES:
        name = f"{service.upper()}_PLAINTEXT"
        if given.value(name).lower() in TRUE:
            yield Problem(name, "is true: whoever reaches the port may do everything")
    if given.value("OPEN_REFLECTION").lower() in TRUE:
        yield Problem("OPEN_REFLECTION", "is true: everybody is told what each service can do")
    if given.value("BILLING_GATEWAY_TRUST_CLAIMED_ORGANIZATIONS").lower() in TRUE:
        yield Problem(
            "BILLING_GATEWAY_TRUST_CLAIMED_ORGANIZATIONS",
            "is true: whoever can make a payment can say whose it is",
        )


def heard_by_others(given: Given) -> Iterator[Problem]:
    """Tell of what passes in the clear outside of this machine."""
    collector = urlsplit(given.value("OTEL_EXPORTER_OTLP_ENDPOINT"))
    if collector.scheme == "http" and not given.is_near(collector.hostname or ""):
        yield Problem("OTEL_EXPORTER_OTLP_ENDPOINT", "is not on this machine: expected https")
    options = set(given.value("OPERATOR_CONSOLE_GRPCURL_OPTIONS").split())
    if options & {"-plaintext", "--plaintext", "-insecure", "--insecure"}:
        yield Problem("OPERATOR_CONSOLE_GRPCURL_OPTIONS", "lets operators talk to whoever answers")


def expiring_certificates(given: Given) -> Iterator[Problem]:
    """Tell of certificates that are good now, and not for long."""
    for name in DIRECTORIES:
        if not given.environment.get(name):
            continue
        try:
            until = read_certificates(Path(given.environment[name])).expire_time
        except CertificatesUnusableError as error:
            if name.startswith("PREFLIGHT_"):
                yield Problem(name, str(error))
            continue
        if until - datetime.now(UTC) < LEFT_MIN:
            yield Problem(name, f"its certificate expires on {until:%Y-%m-%d}")


def silent_log(given: Given) -> Iterator[Problem]:
    """Tell of a log without the heads of chains, by which a ledger that was cut is found out."""
    if given.value("LOG_LEVEL") in {"WARNING", "ERROR", "CRITICAL"}:
        yield Problem("LOG_LEVEL", "hides the heads of ledgers' chains, which are told at INFO")
