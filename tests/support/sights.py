"""What stands where, across the services, in one look."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import grpc

from dev.stripe_simulator import Customer, subscription_event, top_up_event
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2

ORGANIZATION = "org-1"
CAMPAIGN = "campaign-1"
SIDS = ("AC" + "1" * 32, "AC" + "2" * 32)
PERIOD_END = now() + timedelta(days=30)


@dataclass(frozen=True)
class Sight:
    """An organization at one moment."""

    balance_micros: int
    frozen: bool
    campaign: str
    pause_reason: str
    wanted: tuple[str, ...]
    observed: tuple[str, ...]
    can_send: bool


SENDING = Sight(
    balance_micros=25_000_000,
    frozen=False,
    campaign="RUNNING",
    pause_reason="UNSPECIFIED",
    wanted=("ACTIVE", "ACTIVE"),
    observed=("ACTIVE", "ACTIVE"),
    can_send=True,
)
CUT_OFF = Sight(
    balance_micros=25_000_000,
    frozen=True,
    campaign="PAUSED",
    pause_reason="SUBSCRIPTION_INACTIVE",
    wanted=("SUSPENDED", "SUSPENDED"),
    observed=("SUSPENDED", "SUSPENDED"),
    can_send=False,
)


async def look(stack: Stack) -> Sight:
    """Ask every service how the organization stands."""
    campaign = await stack.campaign.GetCampaign(
        campaign_service_pb2.GetCampaignRequest(campaign_id=CAMPAIGN)
    )
    subaccounts = (
        await stack.telephony.ListSubaccounts(
            telephony_service_pb2.ListSubaccountsRequest(organization_id=ORGANIZATION)
        )
    ).subaccounts
    permission = await stack.telephony.CanOrganizationSend(
        telephony_service_pb2.CanOrganizationSendRequest(organization_id=ORGANIZATION)
    )
    wallet = await wallet_of(stack, ORGANIZATION)
    states, reasons = campaign_pb2.CampaignState, campaign_pb2.PauseReason
    wanted, observed = subaccount_pb2.WantedState, subaccount_pb2.ObservedState
    return Sight(
        balance_micros=wallet.balance_micros,
        frozen=wallet.frozen,
        campaign=_short(states.Name(campaign.campaign.state), "CAMPAIGN_STATE_"),
        pause_reason=_short(reasons.Name(campaign.campaign.pause_reason), "PAUSE_REASON_"),
        wanted=tuple(_short(wanted.Name(each.wanted), "WANTED_STATE_") for each in subaccounts),
        observed=tuple(
            _short(observed.Name(each.observed), "OBSERVED_STATE_") for each in subaccounts
        ),
        can_send=permission.allowed,
    )


async def look_if_possible(stack: Stack) -> Sight | None:
    """Look; None while a service does not answer."""
    try:
        return await look(stack)
    except grpc.aio.AioRpcError as error:
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
            raise
        return None


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)


async def wallet_of(stack: Stack, organization_id: str) -> wallet_pb2.Wallet:
    """Return an organization's wallet; an empty one if it has none yet."""
    request = wallet_service_pb2.GetWalletRequest(organization_id=organization_id)
    try:
        return (await stack.wallet.GetWallet(request)).wallet
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND  # noqa: PT017 - not there yet
        return wallet_pb2.Wallet()


async def subscription_is(
    stack: Stack, customer: Customer, status: str, period_end: datetime | None = None
) -> None:
    """Let Stripe tell how the subscription stands from now on."""
    kind = "deleted" if status == "canceled" else "updated"
    created = stack.next_second()
    event = subscription_event(customer, kind, status, created, period_end or PERIOD_END)
    assert await stack.deliver(event) == 200


async def reach(stack: Stack, wanted: Sight, timeout_seconds: float = 20.0) -> None:
    """Wait until the organization stands so."""
    await eventually(lambda: look_if_possible(stack), lambda seen: seen == wanted, timeout_seconds)


async def let_send(stack: Stack, customer: Customer, period_end: datetime | None = None) -> None:
    """Bring an organization to where it sends: paid, started, two subaccounts."""
    await subscription_is(stack, customer, "active", period_end)
    await stack.deliver(top_up_event(customer, 2_500, now()))
    for number, sid in enumerate(SIDS):
        await stack.telephony.RegisterSubaccount(
            telephony_service_pb2.RegisterSubaccountRequest(
                organization_id=ORGANIZATION, brand_id=f"brand-{number}", account_sid=sid
            )
        )
    await stack.campaign.CreateCampaign(
        campaign_service_pb2.CreateCampaignRequest(
            campaign_id=CAMPAIGN, organization_id=ORGANIZATION, brand_id="brand-0"
        )
    )

    async def start() -> bool:
        try:
            await stack.campaign.StartCampaign(
                campaign_service_pb2.StartCampaignRequest(campaign_id=CAMPAIGN)
            )
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION  # noqa: PT017 - not yet
            return False
        return True

    await eventually(start, lambda started: started)
    await reach(stack, SENDING)
