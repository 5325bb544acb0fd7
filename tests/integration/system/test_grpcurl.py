"""The operator's tool against running services: grpcurl, where it is."""

import asyncio
import json
import shutil

import pytest

from tests.support.stack import SERVICES, Stack

GRPCURL = shutil.which("grpcurl")

pytestmark = pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not here")


async def grpcurl(*arguments: str) -> str:
    assert GRPCURL is not None
    process = await asyncio.create_subprocess_exec(
        GRPCURL, "-plaintext", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode()


async def test_grpcurl_lists_every_service(stack: Stack) -> None:
    listed = {name: await grpcurl(stack.addresses[name], "list") for name in SERVICES}
    assert "tollgate.wallet.v1.WalletService" in listed["wallet"]
    assert "tollgate.campaign.v1.CampaignService" in listed["campaign"]
    assert "tollgate.telephony.v1.TelephonyService" in listed["telephony"]
    assert "tollgate.billing_gateway.v1.BillingGatewayService" in listed["billing_gateway"]


async def test_grpcurl_makes_and_gets_a_wallet(stack: Stack) -> None:
    service, address = "tollgate.wallet.v1.WalletService", stack.addresses["wallet"]
    create = json.dumps({"organization_id": "org-1", "currency_code": "USD"})
    await grpcurl("-d", create, address, f"{service}/CreateWallet")
    get = json.dumps({"organization_id": "org-1"})
    answer = json.loads(await grpcurl("-d", get, address, f"{service}/GetWallet"))
    assert answer["wallet"]["currency_code"] == "USD"
