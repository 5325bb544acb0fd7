"""Every example of the campaigns' proto, in their order, against the running service."""

from typing import Any

import pytest

from tests.support.examples import Send, every_way, require_story
from tests.support.level_steps import LevelSteps
from tests.support.rpc_comments import CAMPAIGN
from tests.support.stack import Stack

PAUSED_BY_HAND = {
    "state": "CAMPAIGN_STATE_PAUSED",
    "pauseReason": "PAUSE_REASON_MANUAL_PAUSE",
    "blockers": ["PAUSE_REASON_MANUAL_PAUSE"],
    "note": "wrong text",
}
RUNNING = {"state": "CAMPAIGN_STATE_RUNNING", "pauseReason": None, "blockers": None}

ANSWERS: list[tuple[str, Any]] = [
    (
        "CreateCampaign",
        {
            "campaign": {
                "campaignId": "spring",
                "name": "Spring sale",
                "state": "CAMPAIGN_STATE_DRAFT",
            }
        },
    ),
    ("CreateCampaign", {"campaign": {"campaignId": "summer", "name": None}}),
    ("GetCampaign", {"campaign": {"campaignId": "spring", "organizationId": "org-1"}}),
    ("ListCampaigns", {"campaigns": [{"campaignId": "spring"}, {"campaignId": "summer"}]}),
    ("ListCampaigns", {"campaigns": None, "nextPageToken": None}),
    ("StartCampaign", {"campaign": RUNNING}),
    ("StartCampaign", {"campaign": RUNNING}),
    ("PauseCampaign", {"campaign": PAUSED_BY_HAND}),
    ("ResumeCampaign", {"campaign": {**RUNNING, "pauseTime": None, "note": None}}),
    ("CompleteCampaign", {"campaign": {"state": "CAMPAIGN_STATE_COMPLETED"}}),
    ("PauseCampaigns", {"pausedCount": "1"}),
    ("ResumeCampaignsIfEligible", {"resumedCount": "1", "eligibility": {"eligible": True}}),
    ("PauseAllCampaigns", {"pausedCount": "1"}),
    ("ResumeAllCampaigns", {"resumedCount": "1"}),
    (
        "GetEmergencyStop",
        {"emergencyStop": {"active": None, "note": "template mended", "actor": "ann"}},
    ),
    ("WatchCampaigns", {"campaign": {"organizationId": "org-1"}}),
    (
        "ListCampaignChanges",
        {
            "changes": [
                {"toState": "CAMPAIGN_STATE_RUNNING", "actor": "bob", "note": None},
                {
                    "fromState": "CAMPAIGN_STATE_RUNNING",
                    "toState": "CAMPAIGN_STATE_PAUSED",
                    "pauseReason": "PAUSE_REASON_ORGANIZATION_PAUSE",
                    "cause": "CAMPAIGN_CHANGE_CAUSE_ORGANIZATION_PAUSE",
                    "note": "complaints",
                },
            ]
        },
    ),
    (
        "ListCampaignChanges",
        {"changes": [{"note": "template mended"}, {"note": "wrong template", "actor": "ann"}]},
    ),
    (
        "GetEligibility",
        {
            "eligibility": {
                "eligible": True,
                "blockers": None,
                "subscription": {"goodStanding": True},
                "wallet": {"frozen": None},
            }
        },
    ),
    (
        "GetOverview",
        {
            "overview": {
                "runningCount": "1",
                "pausedOrganizationCount": None,
                "emergencyStop": {"active": None, "note": "template mended"},
            }
        },
    ),
]


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """The campaigns alone; the test tells their levels."""
    return ("campaign",)


@every_way
async def test_every_example_is_answered_as_the_story_goes(
    stopped_stack: Stack, send: Send
) -> None:
    await stopped_stack.start("campaign")
    levels = LevelSteps(stopped_stack.channel("campaign"))
    await levels.report_subscription(good=True)
    await levels.report_wallet()
    await require_story(send, stopped_stack.addresses, CAMPAIGN, ANSWERS)
