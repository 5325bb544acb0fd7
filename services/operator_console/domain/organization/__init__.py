"""The rules about one organization: what a cause is, before what follows from it."""

from collections.abc import Sequence
from typing import Final

from services.operator_console.domain.findings import Rule
from services.operator_console.domain.organization.campaigns import (
    emergency_stop,
    long_paused,
    manually_paused,
    organization_paused,
)
from services.operator_console.domain.organization.case import OrganizationCase
from services.operator_console.domain.organization.events import (
    dead_events,
    parked_events,
    waiting_events,
)
from services.operator_console.domain.organization.levels import pending_announcements
from services.operator_console.domain.organization.services import (
    failing,
    long_transactions,
    unanswered,
    unknown_organization,
)
from services.operator_console.domain.organization.subaccounts import (
    closed_subaccounts,
    drifted_subaccounts,
    failing_aftermath,
    missing_subaccounts,
    operator_block,
    twilio_trouble,
    unsuspended_subaccounts,
)
from services.operator_console.domain.organization.subscription import (
    differing_subscriptions,
    inactive_subscription,
    missed_renewal,
    missing_subscription,
    operator_grace,
    unasked_providers,
)
from services.operator_console.domain.organization.wallet import (
    broken_ledger,
    debt,
    depleted_wallet,
    disputed_wallet,
    held_funds,
    long_frozen,
    missing_wallet,
    parked_payments,
    wallet_frozen_by_operator,
)

RULES: Final[Sequence[Rule[OrganizationCase]]] = (
    unanswered,
    long_transactions,
    failing,
    unknown_organization,
    broken_ledger,
    emergency_stop,
    twilio_trouble,
    unsuspended_subaccounts,
    organization_paused,
    operator_block,
    wallet_frozen_by_operator,
    differing_subscriptions,
    missed_renewal,
    missing_subscription,
    inactive_subscription,
    missing_wallet,
    disputed_wallet,
    debt,
    dead_events,
    parked_payments,
    pending_announcements,
    waiting_events,
    depleted_wallet,
    held_funds,
    drifted_subaccounts,
    closed_subaccounts,
    missing_subaccounts,
    parked_events,
    manually_paused,
    unasked_providers,
    failing_aftermath,
    long_frozen,
    long_paused,
    operator_grace,
)
