"""Each command on one campaign, and each way in which it is refused."""

import asyncio

import grpc
import pytest

from tests.integration.campaign.steps import CampaignSteps, blockers_of, state_of
from tests.support.errors import Refusal, refusal
from tollgate.campaign.v1 import campaign_service_pb2


async def test_a_new_campaign_is_a_draft_and_tells_what_would_keep_it_from_starting(
    steps: CampaignSteps,
) -> None:
    made = await steps.create()

    assert made == await steps.get()
    assert (made.campaign_id, made.organization_id) == ("spring", "org-1")
    assert (made.brand_id, made.name) == ("brand-1", "Spring sale")
    assert state_of(made) == "DRAFT"
    assert blockers_of(made) == ["SUBSCRIPTION_INACTIVE", "WALLET_DEPLETED"]
    assert made.create_time == made.update_time
    assert not made.HasField("pause_time")


async def test_creating_again_answers_the_campaign_as_it_stands(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")

    assert state_of(await steps.create()) == "RUNNING"


async def test_an_id_is_unique_over_all_organizations_and_for_ever(steps: CampaignSteps) -> None:
    await steps.create()
    await steps.complete()

    found = await refusal(steps.create(organization_id="org-2", name="Sale"))

    assert found == Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        "REFERENCE_CONFLICT",
        {"campaignId": "spring", "differingFields": "organization_id,name"},
    )
    assert (await steps.get()).organization_id == "org-1"


async def test_of_two_who_create_the_same_id_at_once_one_has_it(steps: CampaignSteps) -> None:
    for number in range(20):
        answers = await asyncio.gather(
            steps.create(f"c-{number}", "org-1"),
            steps.create(f"c-{number}", "org-2"),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, grpc.aio.AioRpcError) for answer in answers) == 1


async def test_start_pause_resume_complete(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    made = await steps.create()

    started = await steps.start()
    assert state_of(started) == "RUNNING"
    assert blockers_of(started) == []
    assert started.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()

    paused = await steps.pause(note="wrong text")
    assert state_of(paused) == "PAUSED MANUAL_PAUSE"
    assert blockers_of(paused) == ["MANUAL_PAUSE"]
    assert paused.note == "wrong text"
    assert paused.pause_time == paused.update_time

    resumed = await steps.resume()
    assert state_of(resumed) == "RUNNING"
    assert resumed.note == ""
    assert not resumed.HasField("pause_time")

    completed = await steps.complete()
    assert state_of(completed) == "COMPLETED"
    assert blockers_of(completed) == []
    assert completed == await steps.get()


async def test_what_is_already_so_succeeds_and_changes_nothing(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create()

    assert await steps.start() == await steps.start()
    assert await steps.resume() == await steps.get()
    assert await steps.pause(note="first") == await steps.pause(note="second")
    assert await steps.complete() == await steps.complete()


async def test_a_draft_of_an_organization_that_is_not_eligible_does_not_start(
    steps: CampaignSteps,
) -> None:
    await steps.report_subscription(good=False)
    await steps.report_wallet(frozen=True)
    draft = await steps.create()

    found = await refusal(steps.start())

    assert found == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "NOT_ELIGIBLE",
        {"blockers": "SUBSCRIPTION_INACTIVE,WALLET_FROZEN"},
    )
    assert await steps.get() == draft


async def test_a_draft_that_was_refused_does_not_start_by_itself(steps: CampaignSteps) -> None:
    await steps.create()
    await refusal(steps.start())

    await steps.make_eligible()

    assert state_of(await steps.get()) == "DRAFT"
    assert state_of(await steps.start()) == "RUNNING"


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("start", "PAUSED"),
        ("start", "COMPLETED"),
        ("pause", "DRAFT"),
        ("pause", "COMPLETED"),
        ("resume", "DRAFT"),
        ("resume", "COMPLETED"),
    ],
)
async def test_what_a_state_forbids(steps: CampaignSteps, command: str, state: str) -> None:
    await steps.make_eligible()
    await steps.create()
    if state == "PAUSED":
        await steps.start()
        await steps.pause()
    if state == "COMPLETED":
        await steps.complete()
    before = await steps.get()

    found = await refusal(getattr(steps, command)())

    assert found == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "INVALID_STATE", {"state": state})
    assert await steps.get() == before


@pytest.mark.parametrize("command", ["get", "start", "pause", "resume", "complete"])
async def test_a_campaign_that_nobody_made_is_not_found(steps: CampaignSteps, command: str) -> None:
    found = await refusal(getattr(steps, command)("autumn"))

    assert found == Refusal(
        grpc.StatusCode.NOT_FOUND, "CAMPAIGN_NOT_FOUND", {"campaignId": "autumn"}
    )


@pytest.mark.parametrize("bad_id", ["", "two words", "x" * 10_000, "naïve", "a/b", "'; --"])
async def test_an_id_that_is_none_is_an_invalid_argument(steps: CampaignSteps, bad_id: str) -> None:
    created = await refusal(steps.create(bad_id, bad_id, bad_id))
    paused = await refusal(steps.pause_organization(bad_id))

    assert created.reason == paused.reason == "INVALID_ARGUMENT"
    assert created.fields == ["campaign_id", "organization_id", "brand_id"]
    assert paused.fields == ["organization_id"]


async def test_text_that_cannot_be_kept_is_an_invalid_argument(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")

    long_name = await refusal(steps.create("summer", name="x" * 1001))
    long_note = await refusal(steps.pause(note="x" * 1001))
    nul = await refusal(steps.pause(note="\0"))

    assert (long_name.fields, long_note.fields, nul.fields) == (["name"], ["note"], ["note"])
    assert state_of(await steps.get()) == "RUNNING"


async def test_a_filter_that_asks_for_what_is_not_known_is_an_invalid_argument(
    steps: CampaignSteps,
) -> None:
    request = campaign_service_pb2.ListCampaignsRequest(page_size=501)
    # The state 99 and the pause reason 7, which this version does not know.
    request.MergeFromString(b"\x18\x63\x20\x07")

    found = await refusal(steps.list_ids(request))

    assert found.fields == ["state", "pause_reason", "page_size"]
