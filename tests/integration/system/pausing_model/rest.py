"""Where all must stand once it is left alone: at what the pure functions say."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import grpc

from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.domain.decision import sending_blockers
from services.telephony.domain.values import ObservedState
from tests.integration.campaign.steps import blockers_of, state_of
from tests.integration.system.pausing_model.facts import now
from tests.integration.system.pausing_model.looks import (
    read_history,
    require_activations_on_no_blocker,
)
from tests.integration.system.pausing_model.organization import NO_WISH, OrganizationModel
from tests.integration.system.pausing_model.site import Site
from tests.integration.system.pausing_model.story import BRANDS, Story
from tests.integration.telephony.steps import Sight
from tests.support.waiting import eventually

REST_SECONDS_MAX = 20.0
SOON = timedelta(minutes=10)

Standing = Mapping[str, Any]


async def come_to_rest(story: Story) -> None:
    """Leave all alone, and hold against the model what is reached."""
    await story.bring_all_up()
    await story.callers.finish()
    for organization in story.organizations:
        if organization.changed_in_console:
            # Sweeps are an hour apart; an operator who suspects something asks for a look.
            await story.reconcile_now(organization)
            organization.changed_in_console = False
    for organization in story.organizations:
        await eventually(
            lambda: _look(story.site, organization),  # noqa: B023 - awaited at once
            _is_as_expected,
            REST_SECONDS_MAX,
        )
        require_activations_on_no_blocker(story.site, organization)
    story.callers.require_nothing_wrong()


async def _look(site: Site, organization: OrganizationModel) -> tuple[Standing, Standing]:
    """Return what is seen of an organization, and what should be."""
    sent = now()
    if site.twilio.late_count or not organization.stays_as_it_is(sent, sent + SOON):
        return {"something": "comes late"}, {}
    try:
        seen = {
            **await _seen_of_campaigns(site, organization),
            **await _seen_of_subaccounts(site, organization),
        }
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return {"nobody": "answers"}, {}
    expected = {
        **_expected_of_campaigns(organization),
        **_expected_of_subaccounts(site, organization),
    }
    return seen, expected


def _is_as_expected(look: tuple[Standing, Standing]) -> bool:
    seen, expected = look
    return seen == expected


async def _seen_of_campaigns(site: Site, organization: OrganizationModel) -> Standing:
    history = {each.campaign_id: each.to_state for each in await read_history(site, organization)}
    eligibility = await site.campaign.eligibility(organization.organization_id)
    seen: dict[str, Any] = {
        "eligibility": blockers_of(eligibility),
        "revisions": (eligibility.subscription.revision, eligibility.wallet.revision),
    }
    for campaign_id in _made(organization):
        campaign = await site.campaign.get(campaign_id)
        is_written = history[campaign_id] == campaign.state
        seen[campaign_id] = state_of(campaign), blockers_of(campaign), is_written
    return seen


def _expected_of_campaigns(organization: OrganizationModel) -> Standing:
    time = now()
    known = organization.for_campaigns(time)
    expected: dict[str, Any] = {
        "eligibility": list(known.eligibility_at(time).blockers),
        "revisions": tuple(
            level.revision if level else 0 for level in (known.subscription, known.wallet)
        ),
    }
    for campaign_id in _made(organization):
        campaign = organization.campaign_at_rest(campaign_id, time)
        state = " ".join((campaign.state, *filter(None, (campaign.pause_reason,))))
        expected[campaign_id] = state, list(campaign.blockers), True
    return expected


def _made(organization: OrganizationModel) -> list[str]:
    return [name for name, campaign in organization.campaigns.items() if campaign.stage]


async def _seen_of_subaccounts(site: Site, organization: OrganizationModel) -> Standing:
    return {
        **{
            account_sid: await site.telephony.look(account_sid)
            for account_sid in organization.brand_of
        },
        **{
            brand_id: await site.telephony.sending_blockers(organization.organization_id, brand_id)
            for brand_id in ("", *BRANDS)
        },
    }


def _expected_of_subaccounts(site: Site, organization: OrganizationModel) -> Standing:
    time = now()
    wanted = organization.wanted_at_rest(time)
    sights = {
        account_sid: _sight(wanted, site.twilio.status(account_sid))
        for account_sid in organization.brand_of
    }
    expected: dict[str, Any] = dict(sights)
    for brand_id in ("", *BRANDS):
        observed = [
            ObservedState(sights[account_sid].observed)
            for account_sid, its_brand_id in organization.brand_of.items()
            if brand_id in ("", its_brand_id)
        ]
        known = organization.for_subaccounts(time)
        expected[brand_id] = list(sending_blockers(known, observed, time))
    return expected


def _sight(wanted: str, at_twilio: AccountStatus) -> Sight:
    """Without a wish all is left as it is."""
    observed = at_twilio.upper() if wanted == NO_WISH else wanted
    return Sight(wanted, observed, observed.lower(), settled=True)
