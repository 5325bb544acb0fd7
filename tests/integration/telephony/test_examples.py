"""Every example of the telephony service's proto, in their order, against the running service."""

from typing import Any

import pytest

from tests.support.examples import Send, every_way, require_story
from tests.support.level_steps import LevelSteps
from tests.support.rpc_comments import TELEPHONY
from tests.support.stack import Stack

REGISTERED = "AC0123456789abcdef0123456789abcdef"
BLOCKED = {
    "wanted": "WANTED_STATE_SUSPENDED",
    "blockers": ["BLOCKER_OPERATOR_BLOCK"],
    "operatorBlock": {"note": "complaints", "actor": "ann"},
}
FREE = {"wanted": "WANTED_STATE_ACTIVE", "blockers": None, "operatorBlock": None}
STANDS = {"observed": "OBSERVED_STATE_ACTIVE", "drifted": None, "lastError": None}

ANSWERS: list[tuple[str, Any]] = [
    ("RegisterSubaccount", {"subaccount": {"accountSid": REGISTERED, **FREE}}),
    ("ProvisionSubaccount", {"subaccount": {"brandId": "acme", **FREE}, "doubleAccountSids": None}),
    ("SuspendSubaccounts", {"subaccounts": [BLOCKED, BLOCKED]}),
    ("ReactivateSubaccounts", {"subaccounts": [FREE, FREE]}),
    ("GetSubaccount", {"subaccount": {"accountSid": REGISTERED, "organizationId": "org-1"}}),
    ("ListSubaccounts", {"subaccounts": [FREE, FREE], "nextPageToken": None}),
    ("ListSubaccounts", {"subaccounts": None}),
    ("ListSubaccountChanges", {"nextPageToken": None}),
    ("ListProvisions", {"provisions": None}),
    ("ReconcileSubaccounts", {"subaccounts": [STANDS, STANDS]}),
    ("CanOrganizationSend", {"allowed": True, "blockers": None}),
    ("CanOrganizationSend", {"allowed": True, "blockers": None}),
    (
        "GetOrganization",
        {
            "organization": {
                "organizationId": "org-1",
                "blockers": None,
                "operatorBlock": None,
                "subscription": {"goodStanding": True},
                "wallet": {"frozen": None},
            }
        },
    ),
    ("GetTwilioHealth", {"health": {"state": "TWILIO_STATE_OK", "error": None}}),
    (
        "GetOverview",
        {
            "overview": {
                "twilio": {"state": "TWILIO_STATE_OK"},
                "unsuspended": {"count": None, "oldestTime": None},
                "blockedOrganizationCount": None,
            }
        },
    ),
]


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """The telephony service alone; the test tells its levels."""
    return ("telephony",)


@every_way
async def test_every_example_is_answered_as_the_story_goes(
    stopped_stack: Stack, send: Send
) -> None:
    await stopped_stack.start("telephony")
    levels = LevelSteps(stopped_stack.channel("telephony"))
    await levels.report_subscription(good=True)
    await levels.report_wallet()
    await require_story(send, stopped_stack.addresses, TELEPHONY, ANSWERS)
