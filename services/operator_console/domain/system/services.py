"""Rules about the services themselves."""

from collections.abc import Iterator

from services.operator_console.domain.findings import Finding
from services.operator_console.domain.silence import (
    failing_services,
    long_transaction,
    silent_services,
)
from services.operator_console.domain.system.case import SystemCase


def unanswered(case: SystemCase) -> Iterator[Finding]:
    """Tell who cannot be asked."""
    yield from silent_services(case.circumstances)


def failing(case: SystemCase) -> Iterator[Finding]:
    """Tell who did not answer everything; what holds it up is told before."""
    yield from failing_services(case.circumstances)


def long_transactions(case: SystemCase) -> Iterator[Finding]:
    """Tell of transactions that hold locks."""
    overview = case.overview
    for service, transactions in (
        ("wallet", overview.wallet.long_transactions),
        ("campaign", overview.campaign.long_transactions),
        ("telephony", overview.telephony.long_transactions),
        ("billing_gateway", overview.billing_gateway.long_transactions),
    ):
        for each in transactions:
            yield long_transaction(case.circumstances, service, each)
