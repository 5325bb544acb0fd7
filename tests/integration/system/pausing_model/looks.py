"""What must hold at every look, whatever is under way."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import pairwise

import grpc

from dev.simulators.twilio.state import ReceivedRequest
from tests.integration.system.pausing_model.facts import certain, now
from tests.integration.system.pausing_model.organization import OrganizationModel
from tests.integration.system.pausing_model.rules import flag_is_set
from tests.integration.system.pausing_model.site import Site
from tests.support.waiting import tick
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2

CHANGES_MAX = 500
KNOWN = (subaccount_pb2.OBSERVED_STATE_ACTIVE, subaccount_pb2.OBSERVED_STATE_SUSPENDED)


async def keep_looking(site: Site, organizations: Sequence[OrganizationModel]) -> None:
    """Look again and again, at whatever answers."""
    looks: tuple[Callable[[Site, OrganizationModel], Awaitable[None]], ...] = (
        look_at_campaigns,
        look_at_history,
        look_at_subaccounts,
        look_at_subaccount_history,
        look_at_sending,
    )
    while True:
        for organization in organizations:
            for look in looks:
                try:
                    await look(site, organization)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                await tick()


async def look_at_campaigns(site: Site, organization: OrganizationModel) -> None:
    sent = now()
    request = campaign_service_pb2.ListCampaignsRequest(
        organization_id=organization.organization_id
    )
    answer = await site.campaign.campaigns.ListCampaigns(request)
    window = sent, now()
    for campaign in answer.campaigns:
        is_running = campaign.state == campaign_pb2.CAMPAIGN_STATE_RUNNING
        assert not (is_running and organization.must_pause(window)), f"runs blocked: {campaign}"
        by_hand = organization.campaigns[campaign.campaign_id].paused_by_hand
        if certain(by_hand, flag_is_set, *window):
            assert campaign.pause_reason == campaign_pb2.PAUSE_REASON_MANUAL_PAUSE, campaign


async def look_at_history(site: Site, organization: OrganizationModel) -> None:
    changes = await read_history(site, organization)
    for campaign_id in organization.campaigns:
        require_unbroken([each for each in changes if each.campaign_id == campaign_id])


async def read_history(
    site: Site, organization: OrganizationModel
) -> list[campaign_pb2.CampaignChange]:
    """Return all changes of an organization's campaigns, oldest first."""
    request = campaign_service_pb2.ListCampaignChangesRequest(
        organization_id=organization.organization_id, page_size=CHANGES_MAX
    )
    changes = await site.campaign.history(request)
    assert len(changes) < CHANGES_MAX
    return changes


def require_unbroken(changes: Sequence[campaign_pb2.CampaignChange]) -> None:
    """Each change begins where the last ended, and only a command lifts a manual pause."""
    for first in changes[:1]:
        assert not first.from_state, first
    for before, after in pairwise(changes):
        assert after.from_state == before.to_state, f"a gap: {before} {after}"
        if before.pause_reason == campaign_pb2.PAUSE_REASON_MANUAL_PAUSE:
            assert after.cause == campaign_pb2.CAMPAIGN_CHANGE_CAUSE_COMMAND, after


async def look_at_subaccounts(site: Site, organization: OrganizationModel) -> None:
    sent = now()
    request = telephony_service_pb2.ListSubaccountsRequest(
        organization_id=organization.organization_id
    )
    answer = await site.telephony.telephony.ListSubaccounts(request)
    window = sent, now()
    for subaccount in answer.subaccounts:
        if organization.must_suspend(window):
            assert subaccount.wanted == subaccount_pb2.WANTED_STATE_SUSPENDED, subaccount
        if subaccount.observed in KNOWN:
            asked = requests_for(site, subaccount.account_sid)
            assert is_known(asked, *window), f"nobody has told yet: {subaccount} {asked}"


async def look_at_subaccount_history(site: Site, organization: OrganizationModel) -> None:
    newest_first = await site.telephony.list_changes(organization_id=organization.organization_id)
    for account_sid in organization.brand_of:
        changes = [each for each in newest_first if each.account_sid == account_sid]
        for after, before in pairwise(changes):
            assert after.began == before.ended, f"a gap: {before} {after}"


async def look_at_sending(site: Site, organization: OrganizationModel) -> None:
    sent = now()
    blockers = await site.telephony.sending_blockers(organization.organization_id)
    assert blockers or not organization.must_not_send((sent, now()))


def requests_for(site: Site, account_sid: str) -> list[ReceivedRequest]:
    return [each for each in site.twilio.requests if each.sid == account_sid]


def is_refused(request: ReceivedRequest) -> bool:
    status = request.http_status
    return status is not None and HTTPStatus.BAD_REQUEST <= status < 500


def is_known(asked: Sequence[ReceivedRequest], sent: datetime, answered: datetime) -> bool:
    """Tell whether Twilio has told how an account stands since it was last sent a change.

    A change that was refused was none.
    """
    begin = 0
    for number, request in enumerate(asked):
        if request.operation == "update_account" and request.received_at < sent:
            begin = begin if is_refused(request) else number
    return any(
        each.http_status == HTTPStatus.OK
        and each.answered_at is not None
        and each.answered_at <= answered
        for each in asked[begin:]
    )


def require_activations_on_no_blocker(site: Site, organization: OrganizationModel) -> None:
    """An activation follows a look, and after that look's answer whoever blocks is asked for.

    So whatever was committed before Twilio answered the look, and not lifted before the activation
    arrived, must have kept it from being sent.
    """
    for account_sid in organization.brand_of:
        looked = None
        for request in requests_for(site, account_sid):
            if request.operation == "fetch_account":
                looked = request
            if request.status_asked == "active":
                assert looked, request
                assert looked.answered_at, request
                window = looked.answered_at, request.received_at
                assert not organization.must_suspend(window), f"{looked} {request}"
