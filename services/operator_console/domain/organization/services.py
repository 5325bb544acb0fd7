"""Rules about the services themselves."""

from collections.abc import Iterator

from services.operator_console.domain.commands import SERVICES
from services.operator_console.domain.findings import BLOCKING, Finding
from services.operator_console.domain.organization.case import OrganizationCase
from services.operator_console.domain.silence import (
    failing_services,
    long_transaction,
    silent_services,
)


def unanswered(case: OrganizationCase) -> Iterator[Finding]:
    """Tell who cannot be asked."""
    yield from silent_services(case.circumstances)


def failing(case: OrganizationCase) -> Iterator[Finding]:
    """Tell who did not answer everything; what holds it up is told before."""
    yield from failing_services(case.circumstances)


def long_transactions(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of transactions that hold locks, those that others wait for first."""
    waited_for_first = sorted(
        case.seen.long_transactions, key=lambda each: -each.transaction.waiting_count
    )
    for each in waited_for_first:
        yield long_transaction(case.circumstances, each.service, each.transaction)


def unknown_organization(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of an id that stands nowhere: mistyped, most likely."""
    seen = case.seen
    is_known = (
        seen.HasField("wallet")
        or seen.subscriptions
        or seen.payments
        or seen.events
        or seen.subaccounts
        or seen.eligibility.HasField("subscription")
        or seen.eligibility.HasField("wallet")
    )
    if not is_known and all(map(case.has_answered, SERVICES)):
        yield Finding(
            severity=BLOCKING,
            code="ORGANIZATION_UNKNOWN",
            what=f"nothing is known of {case.organization_id}",
            why="It has neither a wallet nor a subscription, payment, event or subaccount. "
            "Is the id right?",
            by_itself="A payment or a linked subscription makes it known.",
            next_step=case.commands.call("wallet", "ListWallets", page_size=50),
        )
