"""One example: what is done to a few organizations, and by whom."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import uuid4

from dev.simulators.faults import Fault
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from libs.levels import SubscriptionLevel, WalletLevel
from services.campaign.domain.values import Stage
from tests.integration.system.pausing_model.callers import (
    Callers,
    answered,
    reason_of_refusal,
)
from tests.integration.system.pausing_model.facts import Fact, HeldLevel, LevelT, flag, now
from tests.integration.system.pausing_model.looks import keep_looking
from tests.integration.system.pausing_model.organization import (
    CampaignModel,
    Level,
    OrganizationModel,
)
from tests.integration.system.pausing_model.site import CAMPAIGN, NAMES, TELEPHONY, Site
from tests.support.stack import TWILIO_SID
from tests.support.waiting import tick
from tollgate.telephony.v1 import telephony_service_pb2

BRANDS = ("brand-1", "brand-2")
MOMENTS_SECONDS = 0.5
REQUESTS_AT_ONCE_MAX = 50


class Story:
    """Acts on two services that may be killed at any time, and keeps the model up to date."""

    def __init__(self, site: Site, organization_count: int) -> None:
        self.site = site
        self.stopped = flag()
        self.callers = Callers()
        self.organizations = [
            OrganizationModel(f"org-{uuid4().hex[:12]}", self.stopped)
            for _ in range(organization_count)
        ]

    def watch(self) -> None:
        """Let somebody look all the time."""
        self.callers.watch(keep_looking(self.site, self.organizations))

    # Levels: the same announcements to both services, each in its own order.

    def announce(self, organization: OrganizationModel, name: str, levels: Sequence[Level]) -> None:
        """Let a service be told of levels, one after the other; whoever tells it waits for none."""

        async def tell() -> None:
            for level in levels:
                if isinstance(level, SubscriptionLevel):
                    await self._tell_subscription(organization, name, level)
                else:
                    await self._tell_wallet(organization, name, level)

        self.callers.begin(uuid4().hex, tell)

    async def _tell_subscription(
        self, organization: OrganizationModel, name: str, level: SubscriptionLevel
    ) -> None:
        assert level.good_until is not None
        call = partial(
            self.site.observers[name].report_subscription,
            good=level.good_standing,
            until=level.good_until,
            organization_id=organization.organization_id,
            revision=level.revision,
        )
        await self._tell(organization.held[name].subscription, level, call)

    async def _tell_wallet(
        self, organization: OrganizationModel, name: str, level: WalletLevel
    ) -> None:
        call = partial(
            self.site.observers[name].report_wallet,
            frozen=level.frozen,
            depleted=level.depleted,
            depleted_since=level.depleted_since,
            owing_micros=level.owing_micros,
            organization_id=organization.organization_id,
            revision=level.revision,
        )
        await self._tell(organization.held[name].wallet, level, call)

    async def _tell(
        self, held: HeldLevel[LevelT], level: LevelT, call: Callable[[], Awaitable[int]]
    ) -> None:
        floor = held.floor
        held.sending(level)
        stored = await answered(call)
        assert stored >= max(floor, level.revision), f"{stored} is held after {floor} and {level}"
        held.answered(stored)

    # Campaigns.

    def create(self, organization: OrganizationModel, number: int) -> None:
        campaign = self._campaign(organization, number)

        async def act() -> None:
            await answered(
                lambda: self.site.campaign.create(
                    campaign.campaign_id, organization.organization_id, campaign.brand_id
                )
            )
            campaign.stage = campaign.stage or Stage.DRAFT

        self._operate(CAMPAIGN, organization, act)

    def start(self, organization: OrganizationModel, number: int) -> None:
        campaign = self._campaign(organization, number)

        async def act() -> None:
            sent = now()
            reason = await reason_of_refusal(lambda: self.site.campaign.start(campaign.campaign_id))
            window = sent, now()
            if campaign.stage is not Stage.DRAFT:
                return
            # Refused as it is no draft: the first of several attempts had started it.
            assert reason in {"", "NOT_ELIGIBLE", "INVALID_STATE"}
            if reason != "NOT_ELIGIBLE":
                campaign.stage = Stage.STARTED
                assert reason or not organization.must_pause(window), "started while blocked"

        self._operate(CAMPAIGN, organization, act)

    def pause(self, organization: OrganizationModel, number: int) -> None:
        self._change_by_hand(organization, number, is_paused=True)

    def resume(self, organization: OrganizationModel, number: int) -> None:
        self._change_by_hand(organization, number, is_paused=False)

    def _change_by_hand(
        self, organization: OrganizationModel, number: int, *, is_paused: bool
    ) -> None:
        campaign = self._campaign(organization, number)
        call = self.site.campaign.pause if is_paused else self.site.campaign.resume

        async def act() -> None:
            if campaign.stage is Stage.STARTED:
                campaign.paused_by_hand.may_become(is_paused)
            reason = await reason_of_refusal(lambda: call(campaign.campaign_id))
            if campaign.stage is None:
                assert reason == "CAMPAIGN_NOT_FOUND"
            else:
                assert (reason == "") == (campaign.stage is Stage.STARTED), reason
            if campaign.stage is Stage.STARTED:
                campaign.paused_by_hand.has_become(is_paused)

        self._operate(CAMPAIGN, organization, act)

    def complete(self, organization: OrganizationModel, number: int) -> None:
        campaign = self._campaign(organization, number)

        async def act() -> None:
            campaign.paused_by_hand.may_become(value=False)
            reason = await reason_of_refusal(
                lambda: self.site.campaign.complete(campaign.campaign_id)
            )
            assert reason == ("" if campaign.stage else "CAMPAIGN_NOT_FOUND")
            if campaign.stage:
                campaign.stage = Stage.COMPLETED
                campaign.paused_by_hand.has_become(value=False)

        self._operate(CAMPAIGN, organization, act)

    def pause_organization(self, organization: OrganizationModel) -> None:
        call = partial(self.site.campaign.pause_organization, organization.organization_id)
        self._operate(CAMPAIGN, organization, lambda: _set(organization.paused, call, value=True))

    def resume_organization(self, organization: OrganizationModel) -> None:
        call = partial(self.site.campaign.resume_organization, organization.organization_id)
        self._operate(CAMPAIGN, organization, lambda: _set(organization.paused, call, value=False))

    def stop_all(self) -> None:
        self.callers.begin(
            "stop", lambda: _set(self.stopped, self.site.campaign.stop_all, value=True)
        )

    def resume_all(self) -> None:
        self.callers.begin(
            "stop", lambda: _set(self.stopped, self.site.campaign.resume_all, value=False)
        )

    def _campaign(self, organization: OrganizationModel, number: int) -> CampaignModel:
        campaign_id = f"{organization.organization_id}-{number}"
        new = CampaignModel(campaign_id, BRANDS[number % len(BRANDS)])
        return organization.campaigns.setdefault(campaign_id, new)

    # Subaccounts.

    def register(self, organization: OrganizationModel, number: int) -> None:
        account_sid = sid_of(organization, number)
        brand_id = BRANDS[number % len(BRANDS)]

        async def act() -> None:
            await answered(
                lambda: self.site.telephony.register(
                    account_sid, organization.organization_id, brand_id
                )
            )
            organization.brand_of[account_sid] = brand_id

        self._operate(TELEPHONY, organization, act)

    def suspend(self, organization: OrganizationModel) -> None:
        self._operate(TELEPHONY, organization, lambda: self._suspend(organization))

    def reactivate(self, organization: OrganizationModel) -> None:
        self._operate(TELEPHONY, organization, lambda: self._reactivate(organization))

    async def _suspend(self, organization: OrganizationModel) -> None:
        call = partial(self.site.telephony.suspend, organization.organization_id)
        await _set(organization.blocked, call, value=True)

    async def _reactivate(self, organization: OrganizationModel) -> None:
        call = partial(self.site.telephony.reactivate, organization.organization_id)
        await _set(organization.blocked, call, value=False)

    def reconcile(self, organization: OrganizationModel) -> None:
        """Whoever asks for a look waits for it; nobody waits for who asks."""
        self.callers.begin(uuid4().hex, lambda: self.reconcile_now(organization))

    async def reconcile_now(self, organization: OrganizationModel) -> None:
        request = telephony_service_pb2.ReconcileSubaccountsRequest(
            organization_id=organization.organization_id
        )
        await answered(lambda: self.site.telephony.telephony.ReconcileSubaccounts(request))

    def flip(
        self,
        organization: OrganizationModel,
        number: int,
        *,
        operation: str,
        fault: Fault,
        stays_blocked: bool,
    ) -> None:
        """Lift the block of a suspended account while Twilio fails, and maybe set it again."""
        account_sid = sid_of(organization, number)
        twilio = self.site.twilio

        async def act() -> None:
            await self._suspend(organization)
            await _within_moments(lambda: twilio.status(account_sid) is AccountStatus.SUSPENDED)
            twilio.fail(fault, account_sid, 1, operation)
            begin = now()
            await self._reactivate(organization)
            if stays_blocked:
                await _within_moments(lambda: _is_asked(twilio, operation, account_sid, begin))
                await self._suspend(organization)

        self._operate(TELEPHONY, organization, act)

    def change_in_console(
        self, organization: OrganizationModel, number: int, status: AccountStatus
    ) -> None:
        self.site.twilio.set_status(sid_of(organization, number), status)
        organization.changed_in_console = True

    def suspend_parent(self) -> None:
        self.site.twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED)

    def heal(self) -> None:
        self.site.twilio.heal()
        self.site.twilio.set_status(TWILIO_SID, AccountStatus.ACTIVE)

    # Whoever operates a service or an organization does one thing after the other.

    def _operate(
        self, name: str, organization: OrganizationModel, act: Callable[[], Awaitable[None]]
    ) -> None:
        self.callers.begin(f"{name} {organization.organization_id}", act)

    def restart(self, name: str) -> None:
        self.callers.begin(f"start {name}", lambda: self.site.start(name))

    async def bring_all_up(self) -> None:
        """Lift every fault, and start what was killed."""
        self.heal()
        await asyncio.gather(*(self.site.start(name) for name in NAMES))

    async def end(self) -> None:
        """Leave nothing behind that another example would meet."""
        await self.callers.abandon()
        await self.bring_all_up()
        await answered(self.site.campaign.resume_all)


def sid_of(organization: OrganizationModel, number: int) -> str:
    """Return the SID of one of an organization's accounts."""
    return f"AC{organization.organization_id.removeprefix('org-'):0>30}{number:02}"


async def _set(fact: Fact[bool], call: Callable[[], Awaitable[object]], *, value: bool) -> None:
    fact.may_become(value)
    await answered(call)
    fact.has_become(value)


def _is_asked(twilio: TwilioSimulator, operation: str, account_sid: str, since: datetime) -> bool:
    return any(
        (each.operation, each.sid) == (operation, account_sid) and each.received_at > since
        for each in twilio.requests[-REQUESTS_AT_ONCE_MAX:]
    )


async def _within_moments(is_reached: Callable[[], bool]) -> None:
    """Wait for what comes soon, if it comes at all."""
    with suppress(TimeoutError):
        async with asyncio.timeout(MOMENTS_SECONDS):
            while not is_reached():
                await tick()
