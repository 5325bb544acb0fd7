"""The services' own rpcs, over one channel to each."""

from collections.abc import Mapping

import grpc

from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


class Stubs:
    """Of the four services, and of what each of them offers to operators alike."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self.wallet = WalletServiceStub(channels["wallet"])
        self.campaign = CampaignServiceStub(channels["campaign"])
        self.telephony = TelephonyServiceStub(channels["telephony"])
        self.billing_gateway = BillingGatewayServiceStub(channels["billing_gateway"])
        self.operations = {
            service: OperationsServiceStub(channel) for service, channel in channels.items()
        }
