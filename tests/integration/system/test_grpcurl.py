"""The operator's tool against running services."""

from tests.support.grpcurl import grpcurl, needs_grpcurl
from tests.support.stack import SERVICES, Stack

pytestmark = needs_grpcurl


async def test_grpcurl_lists_every_service(stack: Stack) -> None:
    listed = {name: (await grpcurl(stack.addresses[name], "list")).output for name in SERVICES}
    assert "tollgate.wallet.v1.WalletService" in listed["wallet"]
    assert "tollgate.campaign.v1.CampaignService" in listed["campaign"]
    assert "tollgate.telephony.v1.TelephonyService" in listed["telephony"]
    assert "tollgate.billing_gateway.v1.BillingGatewayService" in listed["billing_gateway"]
