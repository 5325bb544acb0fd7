"""Every broken state that a section of the runbook is about, by the section's anchor."""

from collections.abc import Mapping
from typing import Final

from tests.support.runbook.situation import State
from tests.support.runbook.states import (
    campaigns,
    events,
    reviews,
    services,
    sessions,
    subaccounts,
    subscriptions,
    twilio,
    wallets,
)

STATES: Final[Mapping[str, State]] = {
    **campaigns.STATES,
    **events.STATES,
    **reviews.STATES,
    **services.STATES,
    **sessions.STATES,
    **subaccounts.STATES,
    **subscriptions.STATES,
    **twilio.STATES,
    **wallets.STATES,
}
