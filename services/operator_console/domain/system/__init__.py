"""The rules about everything: the alerts' conditions, as far as the services can tell them."""

from collections.abc import Sequence
from typing import Final

from services.operator_console.domain.findings import Rule
from services.operator_console.domain.system.campaigns import emergency_stop, long_paused_campaigns
from services.operator_console.domain.system.case import SystemCase
from services.operator_console.domain.system.gateway import (
    bad_signatures,
    dead_events,
    parked_events,
    silent_providers,
    stuck_announcements,
    waiting_events,
)
from services.operator_console.domain.system.services import (
    failing,
    long_transactions,
    unanswered,
)
from services.operator_console.domain.system.subaccounts import (
    drifted_subaccounts,
    failing_aftermath,
    failing_provisions,
    failing_subaccounts,
    twilio_trouble,
    unsuspended_subaccounts,
)
from services.operator_console.domain.system.wallets import (
    broken_ledgers,
    doubted_keys,
    idle_ledger_check,
    long_frozen_wallets,
    overdue_walk,
    refused_debits,
    unavailable_debits,
)

RULES: Final[Sequence[Rule[SystemCase]]] = (
    unanswered,
    long_transactions,
    failing,
    broken_ledgers,
    emergency_stop,
    twilio_trouble,
    unsuspended_subaccounts,
    waiting_events,
    stuck_announcements,
    doubted_keys,
    unavailable_debits,
    bad_signatures,
    refused_debits,
    dead_events,
    idle_ledger_check,
    drifted_subaccounts,
    failing_subaccounts,
    failing_aftermath,
    failing_provisions,
    parked_events,
    silent_providers,
    overdue_walk,
    long_frozen_wallets,
    long_paused_campaigns,
)
