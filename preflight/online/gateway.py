"""Whether webhooks arrive, and are settled."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import grpc

from preflight.given import Given
from preflight.online.channels import channel_to
from preflight.problems import Problem
from tollgate.billing_gateway.v1.billing_gateway_service_pb2 import GetOverviewRequest
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.billing_gateway.v1.overview_pb2 import EventCount, ProviderOverview
from tollgate.billing_gateway.v1.provider_pb2 import Provider
from tollgate.billing_gateway.v1.webhook_event_pb2 import (
    WEBHOOK_EVENT_STATE_RECEIVED,
    WebhookEventState,
)

SETTING: Final = "OPERATOR_CONSOLE_SERVICES"
ANSWER_SECONDS_MAX: Final = 10.0
# As the alert on the inbox.
WAITING_MAX: Final = timedelta(minutes=5)


async def event_problems(given: Given) -> list[Problem]:
    """Ask the gateway how events stand."""
    async with channel_to(given, "billing_gateway") as channel:
        if channel is None:
            return []
        gateway = BillingGatewayServiceStub(channel)
        try:
            answer = await gateway.GetOverview(GetOverviewRequest(), timeout=ANSWER_SECONDS_MAX)
        except grpc.aio.AioRpcError as error:
            return [Problem(SETTING, f"billing_gateway does not answer: {error.code().name}")]
    now = datetime.now(UTC)
    return [it for provider in answer.overview.providers for it in judge(provider, now)]


def judge(provider: ProviderOverview, now: datetime) -> Iterator[Problem]:
    """Tell of a provider that was never heard, and of events that nobody has settled."""
    subject = f"webhooks of {Provider.Name(provider.provider).removeprefix('PROVIDER_')}"
    if not provider.HasField("last_receive_time"):
        yield Problem(subject, "none has arrived yet: have the provider send a test event")
    for events in provider.events:
        if events.count and not _are_under_way(events, now):
            state = WebhookEventState.Name(events.state).removeprefix("WEBHOOK_EVENT_STATE_")
            yield Problem(subject, f"{events.count} are {state}")


def _are_under_way(events: EventCount, now: datetime) -> bool:
    oldest = events.oldest_receive_time.ToDatetime(UTC)
    return events.state == WEBHOOK_EVENT_STATE_RECEIVED and now - oldest < WAITING_MAX
