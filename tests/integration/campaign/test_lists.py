"""ListCampaigns: filters and pages."""

import pytest

from tests.integration.campaign.steps import CampaignSteps
from tests.support.errors import refusal
from tollgate.campaign.v1 import campaign_pb2
from tollgate.campaign.v1.campaign_service_pb2 import ListCampaignsRequest


@pytest.fixture
async def some(steps: CampaignSteps) -> CampaignSteps:
    """Two organizations: the wallet of the second is frozen."""
    await steps.make_eligible("org-1")
    await steps.make_eligible("org-2")
    await steps.create("a-draft", "org-1", brand_id="brand-2")
    await steps.create_running("b-runs", "c-by-hand", organization_id="org-1")
    await steps.create_running("d-frozen", "e-frozen", "f-over", organization_id="org-2")
    await steps.pause("c-by-hand")
    await steps.complete("f-over")
    await steps.report_wallet(frozen=True, organization_id="org-2")
    return steps


@pytest.mark.parametrize(
    ("wanted", "campaign_ids"),
    [
        (ListCampaignsRequest(), "a-draft b-runs c-by-hand d-frozen e-frozen f-over"),
        (ListCampaignsRequest(organization_id="org-1"), "a-draft b-runs c-by-hand"),
        (ListCampaignsRequest(organization_id="nobody"), ""),
        (ListCampaignsRequest(brand_id="brand-2"), "a-draft"),
        (ListCampaignsRequest(state=campaign_pb2.CAMPAIGN_STATE_DRAFT), "a-draft"),
        (ListCampaignsRequest(state=campaign_pb2.CAMPAIGN_STATE_RUNNING), "b-runs"),
        (ListCampaignsRequest(state=campaign_pb2.CAMPAIGN_STATE_COMPLETED), "f-over"),
        (
            ListCampaignsRequest(state=campaign_pb2.CAMPAIGN_STATE_PAUSED),
            "c-by-hand d-frozen e-frozen",
        ),
        (ListCampaignsRequest(pause_reason=campaign_pb2.PAUSE_REASON_MANUAL_PAUSE), "c-by-hand"),
        (
            ListCampaignsRequest(pause_reason=campaign_pb2.PAUSE_REASON_WALLET_FROZEN),
            "d-frozen e-frozen",
        ),
        (
            ListCampaignsRequest(
                organization_id="org-1", pause_reason=campaign_pb2.PAUSE_REASON_WALLET_FROZEN
            ),
            "",
        ),
    ],
)
async def test_every_filter_restricts(
    some: CampaignSteps, wanted: ListCampaignsRequest, campaign_ids: str
) -> None:
    assert await some.list_ids(wanted) == campaign_ids.split()


async def test_pause_times_restrict(some: CampaignSteps) -> None:
    frozen_since = (await some.get("d-frozen")).pause_time

    before = await some.list_ids(ListCampaignsRequest(paused_before=frozen_since))
    after = await some.list_ids(ListCampaignsRequest(paused_after=frozen_since))

    assert before == ["c-by-hand"]
    assert after == ["d-frozen", "e-frozen"]


async def test_pages_follow_each_other_and_end(some: CampaignSteps) -> None:
    request = ListCampaignsRequest(page_size=2)
    pages: list[list[str]] = []
    while not pages or request.page_token:
        answer = await some.campaigns.ListCampaigns(request)
        pages.append([campaign.campaign_id for campaign in answer.campaigns])
        request.page_token = answer.next_page_token

    assert pages == [["a-draft", "b-runs"], ["c-by-hand", "d-frozen"], ["e-frozen", "f-over"]]


async def test_a_list_answers_what_a_get_answers(some: CampaignSteps) -> None:
    answer = await some.campaigns.ListCampaigns(ListCampaignsRequest())

    for campaign in answer.campaigns:
        assert campaign == await some.get(campaign.campaign_id)


async def test_a_page_token_that_was_made_up_is_an_invalid_argument(steps: CampaignSteps) -> None:
    request = ListCampaignsRequest(page_token="made up")

    assert (await refusal(steps.list_ids(request))).fields == ["page_token"]
