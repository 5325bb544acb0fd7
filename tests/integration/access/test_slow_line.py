"""A line on which a handshake takes its time."""

import grpc

from libs.rpc.channel import open_channel
from tests.support.database_door import DatabaseDoor
from tests.support.doors import Door
from tests.support.errors import refusal
from tollgate.wallet.v1.wallet_service_pb2 import GetWalletRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


async def test_who_is_slow_to_be_reached_is_reached_by_the_first_call(wallet: Door) -> None:
    host, _, port = wallet.address.rpartition(":")
    line = DatabaseDoor(host, int(port), delay_seconds=0.2)
    await line.open()
    operator = wallet.certificates("operator")
    async with open_channel(f"{host}:{line.port}", operator) as channel:
        request = GetWalletRequest(organization_id="org-1")
        found = await refusal(WalletServiceStub(channel).GetWallet(request))
    assert found.code is grpc.StatusCode.NOT_FOUND
    await line.shut()
