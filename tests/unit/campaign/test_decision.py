"""What may be done with a campaign in each of its states."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import DomainError, ErrorReason
from services.campaign.domain.commands import (
    CampaignCommand,
    CompleteCampaign,
    CreateCampaign,
    PauseCampaign,
    ResumeCampaign,
    StartCampaign,
)
from services.campaign.domain.decision import decide_campaign, require_same_content
from services.campaign.domain.values import Campaign, CampaignState, PauseReason, Stage

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def draft(*blockers: PauseReason) -> Campaign:
    return Campaign(
        campaign_id="spring",
        organization_id="org-1",
        brand_id="brand-1",
        name="Spring sale",
        stage=Stage.DRAFT,
        manual_pause=None,
        pause_time=None,
        create_time=NOW,
        update_time=NOW,
        organization_blockers=blockers,
    )


def running() -> Campaign:
    return decide_campaign(draft(), StartCampaign(""), NOW)


def paused() -> Campaign:
    return decide_campaign(running(), PauseCampaign("wrong text", "ann"), NOW)


def completed() -> Campaign:
    return decide_campaign(paused(), CompleteCampaign(""), NOW)


@pytest.mark.parametrize(
    ("before", "command", "state"),
    [
        (draft, StartCampaign(""), CampaignState.RUNNING),
        (running, StartCampaign(""), CampaignState.RUNNING),
        (running, PauseCampaign("", ""), CampaignState.PAUSED),
        (paused, PauseCampaign("", ""), CampaignState.PAUSED),
        (running, ResumeCampaign(""), CampaignState.RUNNING),
        (paused, ResumeCampaign(""), CampaignState.RUNNING),
        (draft, CompleteCampaign(""), CampaignState.COMPLETED),
        (running, CompleteCampaign(""), CampaignState.COMPLETED),
        (paused, CompleteCampaign(""), CampaignState.COMPLETED),
        (completed, CompleteCampaign(""), CampaignState.COMPLETED),
    ],
)
def test_what_a_state_allows(
    before: Callable[[], Campaign], command: CampaignCommand, state: CampaignState
) -> None:
    after = decide_campaign(before(), command, LATER)

    assert after.state is state
    assert after.update_time == (NOW if before().state is state else LATER)
    assert (after.pause_time is not None) == (state is CampaignState.PAUSED)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        (paused, StartCampaign("")),
        (completed, StartCampaign("")),
        (draft, PauseCampaign("", "")),
        (completed, PauseCampaign("", "")),
        (draft, ResumeCampaign("")),
        (completed, ResumeCampaign("")),
    ],
)
def test_what_a_state_forbids(before: Callable[[], Campaign], command: CampaignCommand) -> None:
    with pytest.raises(DomainError) as refused:
        decide_campaign(before(), command, LATER)

    assert refused.value.reason is ErrorReason.INVALID_STATE
    assert refused.value.metadata == {"state": before().state}


def test_a_draft_that_is_not_eligible_does_not_start() -> None:
    with pytest.raises(DomainError) as refused:
        decide_campaign(
            draft(PauseReason.SUBSCRIPTION_INACTIVE, PauseReason.WALLET_DEPLETED),
            StartCampaign(""),
            LATER,
        )

    assert refused.value.reason is ErrorReason.NOT_ELIGIBLE
    assert refused.value.metadata == {"blockers": "SUBSCRIPTION_INACTIVE,WALLET_DEPLETED"}


def test_a_second_manual_pause_leaves_the_first_as_it_was() -> None:
    assert decide_campaign(paused(), PauseCampaign("again", "bob"), LATER) == paused()


def test_a_completed_campaign_keeps_no_manual_pause() -> None:
    assert completed().manual_pause is None


def test_an_id_is_used_once() -> None:
    same = CreateCampaign("spring", "org-1", "brand-1", "Spring sale", "ann")
    other = CreateCampaign("spring", "org-2", "brand-1", "Sale", "ann")

    require_same_content(completed(), same)
    with pytest.raises(DomainError) as refused:
        require_same_content(completed(), other)

    assert refused.value.reason is ErrorReason.REFERENCE_CONFLICT
    assert refused.value.metadata == {
        "campaignId": "spring",
        "differingFields": "organization_id,name",
    }
