"""BillingGatewayService on the wire: requests become commands, what they find becomes messages."""

from libs.service import RpcService
from services.billing_gateway.servicer.base import Parts
from services.billing_gateway.servicer.events import EventRpcs
from services.billing_gateway.servicer.overview import OverviewRpcs
from services.billing_gateway.servicer.payments import PaymentRpcs
from services.billing_gateway.servicer.subscriptions import SubscriptionRpcs
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2_grpc

SERVICE_NAME = "tollgate.billing_gateway.v1.BillingGatewayService"


class BillingGatewayServicer(SubscriptionRpcs, PaymentRpcs, EventRpcs, OverviewRpcs):
    """All rpcs of the gateway."""


def billing_gateway_service(parts: Parts) -> RpcService:
    """Return the gRPC service of the gateway."""
    return RpcService(
        SERVICE_NAME,
        BillingGatewayServicer(parts),
        billing_gateway_service_pb2_grpc.add_BillingGatewayServiceServicer_to_server,
    )
