"""ProvisionSubaccount: one account for each reference, whoever asks, how often, and how."""

import asyncio

import grpc
import pytest

from dev.simulators.faults import Latency, LostAnswer
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.rules import Rules
from services.telephony.app import build
from services.telephony.config import TelephonySettings
from tests.integration.telephony.provisioning.steps import CREATE, LIST, ProvisionSteps
from tests.integration.telephony.steps import ACTIVE, SUSPENDED
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually


async def test_a_subaccount_is_made_registered_and_sends(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    subaccount = await steps.get(await steps.made())
    assert (subaccount.organization_id, subaccount.brand_id) == ("org-1", "acme")
    [(account_sid, name)] = (await steps.at_twilio()).items()
    assert account_sid == subaccount.account_sid
    assert name.startswith("Acme Ltd ")
    await steps.reach(ACTIVE, account_sid)
    assert await steps.sending_blockers(brand_id="acme") == []


async def test_a_reference_is_answered_as_the_first_time_whatever_blocks(
    steps: ProvisionSteps,
) -> None:
    await steps.make_good()
    first = await steps.made()
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED, first)
    assert await steps.made() == first
    assert list(await steps.at_twilio()) == [first]


@pytest.mark.parametrize("field", ["brand_id", "friendly_name"])
async def test_a_reference_with_other_content_is_a_conflict(
    steps: ProvisionSteps, field: str
) -> None:
    await steps.make_good()
    await steps.made()
    refused = await refusal(steps.ask(**{field: "other"}))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "REFERENCE_CONFLICT",
    )
    assert refused.metadata == {"referenceId": "ref-1", "differingFields": field}
    assert len(await steps.at_twilio()) == 1


async def test_references_are_the_organizations_own_and_names_are_nobodys(
    steps: ProvisionSteps,
) -> None:
    await steps.make_good()
    await steps.make_good("org-2")
    made = [
        await steps.made(),
        await steps.made(reference_id="ref-2"),
        await steps.made(organization_id="org-2"),
    ]
    names = await steps.at_twilio()
    assert set(names) == set(made)
    assert len(set(names.values())) == 3


async def test_nothing_is_made_or_kept_while_the_organization_may_not_send(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    refused = await refusal(steps.ask())
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "NOT_ELIGIBLE",
    )
    assert refused.metadata == {"blockers": "LEVELS_MISSING"}
    await steps.make_good()
    await steps.report_wallet(depleted=True)
    await steps.suspend()
    refused = await refusal(steps.ask())
    assert refused.metadata == {"blockers": "WALLET_DEPLETED,OPERATOR_BLOCK"}
    await steps.reactivate()
    await steps.report_wallet()
    assert twilio.requests == []
    await steps.made(friendly_name="The same reference, free for another name")


async def test_blocked_before_the_create_nothing_is_made_and_the_reference_is_free(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Latency(300), operation=LIST, times=1)
    asking = asyncio.create_task(refusal(steps.ask()))
    await twilio.wait_for_requests(1)
    await steps.report_wallet(frozen=True)
    refused = await asking
    assert (refused.reason, refused.metadata) == ("NOT_ELIGIBLE", {"blockers": "WALLET_FROZEN"})
    await steps.report_wallet()
    await steps.made(friendly_name="Another")
    assert steps.count_asked(CREATE) == 1


async def test_blocked_while_the_create_is_under_way_it_ends_suspended(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Latency(300), operation=CREATE, times=1)
    asking = asyncio.create_task(steps.made())
    await twilio.wait_for_requests(2)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED, await asking)


async def test_many_who_ask_at_once_at_two_replicas_get_the_same(
    settings: TelephonySettings, twilio: TwilioSimulator
) -> None:
    first, second = await build(settings), await build(settings)
    async with running(first) as one, running(second) as other:
        both = [ProvisionSteps(channel, twilio) for channel in (one, other)]
        await both[0].make_good()
        made = await asyncio.gather(*(steps.made() for steps in both * 8))
        assert len(set(made)) == 1
        assert list(await both[0].at_twilio()) == made[:1]
        assert both[0].count_asked(CREATE) == 1


async def test_a_caller_that_is_gone_finds_it_made(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Latency(300), operation=LIST, times=1)
    asking = asyncio.create_task(steps.ask())
    await twilio.wait_for_requests(1)
    asking.cancel()
    [account_sid] = await steps.registered()
    assert await steps.made() == account_sid
    assert list(await steps.at_twilio()) == [account_sid]


async def test_at_the_parents_limit_it_is_told_and_made_once_there_is_room(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    await steps.made()
    twilio.set_rules(Rules(subaccounts_max=1))
    refused = await refusal(steps.ask(reference_id="ref-2"))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "INVALID_STATE",
    )
    assert refused.metadata == {"twilioCode": "21480"}
    twilio.set_rules(Rules())
    await eventually(steps.list_sids, lambda sids: len(sids) == 2)
    assert await steps.made(reference_id="ref-2") in await steps.list_sids()
    assert len(await steps.at_twilio()) == 2


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"friendly_name": ""}, "friendly_name"),
        ({"friendly_name": " "}, "friendly_name"),
        ({"friendly_name": "x" * 65}, "friendly_name"),
        ({"friendly_name": "a\nb"}, "friendly_name"),
        ({"friendly_name": "a\0b"}, "friendly_name"),
        ({"friendly_name": "\u2028"}, "friendly_name"),
        ({"reference_id": ""}, "reference_id"),
        ({"reference_id": "a b"}, "reference_id"),
        ({"organization_id": ""}, "organization_id"),
        ({"brand_id": "x" * 129}, "brand_id"),
    ],
)
async def test_what_cannot_be_made_is_refused_before_anything_is_done(
    steps: ProvisionSteps, twilio: TwilioSimulator, changed: dict[str, str], field: str
) -> None:
    await steps.make_good()
    refused = await refusal(steps.ask(**changed))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    assert twilio.requests == []


@pytest.mark.parametrize("name", ["x" * 64, "Łódź 🍀 " + "é" * 57, "a=b&c%00+d", "\u202eemcA"])
async def test_any_name_for_people_is_found_again(
    steps: ProvisionSteps, twilio: TwilioSimulator, name: str
) -> None:
    await steps.make_good()
    twilio.fail(LostAnswer(), operation=CREATE, times=1)
    account_sid = await steps.made(friendly_name=name)
    assert list(await steps.at_twilio()) == [account_sid]
    assert steps.count_asked(CREATE) == 1
