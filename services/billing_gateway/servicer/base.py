"""What every rpc of the gateway stands on."""

from typing import NamedTuple

from services.billing_gateway.operations.assigning import Assigning
from services.billing_gateway.operations.checkouts import Checkouts
from services.billing_gateway.operations.commands import Commands
from services.billing_gateway.operations.comparing import Comparing
from services.billing_gateway.operations.granting import Granting
from services.billing_gateway.operations.linking import Linking
from services.billing_gateway.operations.overview import OverviewOperations
from services.billing_gateway.operations.queries.events import EventQueries
from services.billing_gateway.operations.queries.payments import PaymentQueries
from services.billing_gateway.operations.queries.subscriptions import SubscriptionQueries
from services.billing_gateway.operations.replaying import Replaying
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2_grpc


class Parts(NamedTuple):
    """The gateway's operations."""

    linking: Linking
    granting: Granting
    checkouts: Checkouts
    commands: Commands
    comparing: Comparing
    assigning: Assigning
    replaying: Replaying
    subscriptions: SubscriptionQueries
    payments: PaymentQueries
    events: EventQueries
    overview: OverviewOperations


class Rpcs(billing_gateway_service_pb2_grpc.BillingGatewayServiceServicer):
    """A family of rpcs: translates, and decides nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
