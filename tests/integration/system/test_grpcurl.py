"""The operator's tool against running services."""

from tests.support.grpcurl import grpcurl, needs_grpcurl
from tests.support.stack import CONSOLE, SERVICES, Stack

pytestmark = needs_grpcurl


async def test_grpcurl_lists_every_service(stack: Stack) -> None:
    await stack.start(CONSOLE)
    names = (*SERVICES, CONSOLE)
    listed = {name: (await grpcurl(stack.addresses[name], "list")).output for name in names}
    assert "tollgate.wallet.v1.WalletService" in listed["wallet"]
    assert "tollgate.campaign.v1.CampaignService" in listed["campaign"]
    assert "tollgate.telephony.v1.TelephonyService" in listed["telephony"]
    assert "tollgate.billing_gateway.v1.BillingGatewayService" in listed["billing_gateway"]
    assert "tollgate.operator_console.v1.OperatorService" in listed[CONSOLE]
