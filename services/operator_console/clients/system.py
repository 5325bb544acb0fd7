"""What the services are asked about everything."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from services.operator_console.clients.asking import Asking, Question
from services.operator_console.domain.findings import Unanswered
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    billing_gateway_service_pb2_grpc,
)
from tollgate.campaign.v1 import campaign_service_pb2, campaign_service_pb2_grpc
from tollgate.operator_console.v1 import overview_pb2
from tollgate.telephony.v1 import telephony_service_pb2, telephony_service_pb2_grpc
from tollgate.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc


class SystemClient:
    """Looks at everything through all services."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], asking: Asking) -> None:
        self._asking = asking
        self._wallet = wallet_service_pb2_grpc.WalletServiceStub(channels["wallet"])
        self._campaign = campaign_service_pb2_grpc.CampaignServiceStub(channels["campaign"])
        self._telephony = telephony_service_pb2_grpc.TelephonyServiceStub(channels["telephony"])
        self._gateway = billing_gateway_service_pb2_grpc.BillingGatewayServiceStub(
            channels["billing_gateway"]
        )

    async def look(self) -> tuple[overview_pb2.Overview, dict[str, Unanswered]]:
        """Ask everything at once; return what was seen, and who has not answered."""
        seen = overview_pb2.Overview()
        unanswered = await self._asking.ask(
            {
                "wallet": [
                    Question(
                        self._wallet.GetOverview,
                        wallet_service_pb2.GetOverviewRequest(),
                        _taker(seen.wallet),
                    )
                ],
                "campaign": [
                    Question(
                        self._campaign.GetOverview,
                        campaign_service_pb2.GetOverviewRequest(),
                        _taker(seen.campaign),
                    )
                ],
                "telephony": [
                    Question(
                        self._telephony.GetOverview,
                        telephony_service_pb2.GetOverviewRequest(),
                        _taker(seen.telephony),
                    )
                ],
                "billing_gateway": [
                    Question(
                        self._gateway.GetOverview,
                        billing_gateway_service_pb2.GetOverviewRequest(),
                        _taker(seen.billing_gateway),
                    )
                ],
            }
        )
        return seen, unanswered


def _taker(overview: Any) -> Callable[[Any], None]:
    return lambda answer: overview.CopyFrom(answer.overview)
