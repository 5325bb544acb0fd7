"""The rpc that tells how all campaigns stand."""

from typing import Any

from libs.operating.servicer import long_transaction_messages
from libs.rpc.times import to_timestamp
from services.campaign.domain.overview import PauseCount
from services.campaign.domain.values import PauseReason
from services.campaign.operations.overview import Overview
from services.campaign.servicer.base import Rpcs
from services.campaign.servicer.messages import emergency_stop_message, reason_value
from tollgate.campaign.v1 import campaign_service_pb2, overview_pb2


class OverviewRpcs(Rpcs):
    """Translates; decides nothing."""

    async def GetOverview(
        self, request: campaign_service_pb2.GetOverviewRequest, context: Any
    ) -> campaign_service_pb2.GetOverviewResponse:
        """Tell how all campaigns stand."""
        overview = await self._parts.overview.read()
        return campaign_service_pb2.GetOverviewResponse(overview=_overview_message(overview))


def _overview_message(overview: Overview) -> overview_pb2.CampaignOverview:
    counts = overview.counts
    return overview_pb2.CampaignOverview(
        running_count=counts.running_count,
        pauses=[
            _pause_message(reason, count) for reason, count in counts.pauses.items() if count.count
        ],
        paused_organization_count=counts.paused_organization_count,
        emergency_stop=emergency_stop_message(counts.emergency_stop),
        long_transactions=long_transaction_messages(overview.long_transactions),
    )


def _pause_message(reason: PauseReason, count: PauseCount) -> overview_pb2.PauseCount:
    return overview_pb2.PauseCount(
        pause_reason=reason_value(reason),
        count=count.count,
        oldest_time=to_timestamp(count.oldest_time),
        over_30_days_count=count.over_30_days_count,
    )
