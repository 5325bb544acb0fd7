"""Rpcs of webhook events."""

from typing import Any

from services.billing_gateway.operations.replaying import Replayer
from services.billing_gateway.servicer.base import Rpcs
from services.billing_gateway.servicer.messages import event_filter, event_message, to_provider
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_events_pb2,
    billing_gateway_service_pb2,
)


class EventRpcs(Rpcs):
    """Translates; decides nothing."""

    async def ListWebhookEvents(
        self, request: billing_gateway_service_pb2.ListWebhookEventsRequest, context: Any
    ) -> billing_gateway_service_pb2.ListWebhookEventsResponse:
        """List events."""
        page = await self._parts.events.list_events(
            event_filter(request), request.page_size, request.page_token
        )
        return billing_gateway_service_pb2.ListWebhookEventsResponse(
            events=[event_message(event) for event in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetWebhookEvent(
        self, request: billing_gateway_service_pb2.GetWebhookEventRequest, context: Any
    ) -> billing_gateway_service_pb2.GetWebhookEventResponse:
        """Answer one event."""
        stored = await self._parts.events.get_event(to_provider(request.provider), request.event_id)
        return billing_gateway_service_pb2.GetWebhookEventResponse(
            event=event_message(stored.event), body=stored.body or b""
        )

    async def ReplayWebhookEvents(
        self, request: billing_gateway_service_events_pb2.ReplayWebhookEventsRequest, context: Any
    ) -> billing_gateway_service_events_pb2.ReplayWebhookEventsResponse:
        """Settle events again."""
        by = Replayer(request.actor, request.note)
        replayed_count = await self._parts.replaying.replay(
            event_filter(request), request.event_id, by
        )
        return billing_gateway_service_events_pb2.ReplayWebhookEventsResponse(
            replayed_count=replayed_count
        )
