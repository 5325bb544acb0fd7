"""What the services are asked about everything."""

from collections.abc import Callable
from typing import Any

from services.operator_console.clients.asking import Asking, Question
from services.operator_console.clients.stubs import Stubs
from services.operator_console.domain.findings import Unanswered
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.operator_console.v1 import overview_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2


class SystemClient:
    """Looks at everything through all services."""

    def __init__(self, stubs: Stubs, asking: Asking) -> None:
        self._stubs = stubs
        self._asking = asking

    async def look(self) -> tuple[overview_pb2.Overview, dict[str, Unanswered]]:
        """Ask everything at once; return what was seen, and who has not answered."""
        seen = overview_pb2.Overview()
        unanswered = await self._asking.ask(
            {
                "wallet": [
                    Question(
                        self._stubs.wallet.GetOverview,
                        wallet_service_pb2.GetOverviewRequest(),
                        _taker(seen.wallet),
                    )
                ],
                "campaign": [
                    Question(
                        self._stubs.campaign.GetOverview,
                        campaign_service_pb2.GetOverviewRequest(),
                        _taker(seen.campaign),
                    )
                ],
                "telephony": [
                    Question(
                        self._stubs.telephony.GetOverview,
                        telephony_service_pb2.GetOverviewRequest(),
                        _taker(seen.telephony),
                    )
                ],
                "billing_gateway": [
                    Question(
                        self._stubs.billing_gateway.GetOverview,
                        billing_gateway_service_pb2.GetOverviewRequest(),
                        _taker(seen.billing_gateway),
                    )
                ],
            }
        )
        return seen, unanswered


def _taker(overview: Any) -> Callable[[Any], None]:
    return lambda answer: overview.CopyFrom(answer.overview)
