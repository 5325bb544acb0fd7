"""The rpc that tells how the gateway stands."""

from typing import Any

from libs.announcing.messages import backlog_message
from libs.operating.servicer import long_transaction_messages
from libs.rpc.times import to_timestamp
from services.billing_gateway.domain.overview import EventCount
from services.billing_gateway.domain.values import EventState, Provider
from services.billing_gateway.operations.overview import Overview
from services.billing_gateway.servicer.base import Rpcs
from services.billing_gateway.servicer.messages import (
    event_state_value,
    provider_value,
    subscription_state_value,
)
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, overview_pb2


class OverviewRpcs(Rpcs):
    """Translates; decides nothing."""

    async def GetOverview(
        self, request: billing_gateway_service_pb2.GetOverviewRequest, context: Any
    ) -> billing_gateway_service_pb2.GetOverviewResponse:
        """Tell how the gateway stands."""
        overview = await self._parts.overview.read()
        return billing_gateway_service_pb2.GetOverviewResponse(overview=_overview_message(overview))


def _overview_message(overview: Overview) -> overview_pb2.GatewayOverview:
    return overview_pb2.GatewayOverview(
        providers=[_provider_message(overview, provider) for provider in overview.recently_refused],
        subscriptions=[
            overview_pb2.SubscriptionCount(state=subscription_state_value(state), count=count)
            for state, count in overview.counts.subscriptions.items()
            if count
        ],
        announcements=[backlog_message(each) for each in overview.announcements],
        long_transactions=long_transaction_messages(overview.long_transactions),
    )


def _provider_message(overview: Overview, provider: Provider) -> overview_pb2.ProviderOverview:
    events = overview.counts.events[provider]
    return overview_pb2.ProviderOverview(
        provider=provider_value(provider),
        events=[
            _event_message(state, count) for state, count in events.unsettled.items() if count.count
        ],
        last_receive_time=to_timestamp(events.last_receive_time),
        recent_bad_signature_count=overview.recently_refused[provider],
    )


def _event_message(state: EventState, count: EventCount) -> overview_pb2.EventCount:
    return overview_pb2.EventCount(
        state=event_state_value(state),
        count=count.count,
        oldest_receive_time=to_timestamp(count.oldest_receive_time),
        oldest_event_id=count.oldest_event_id,
    )
