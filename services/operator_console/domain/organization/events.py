"""Rules about the organization's webhook events."""

from collections.abc import Iterable, Iterator
from typing import Final

from services.operator_console.domain.findings import (
    BLOCKING,
    WARNING,
    Finding,
    age_seconds,
    name_of,
    span,
    why_note,
)
from services.operator_console.domain.organization.case import OrganizationCase
from tollgate.billing_gateway.v1 import provider_pb2, webhook_event_pb2
from tollgate.operator_console.v1 import diagnosis_pb2

# What was received is settled in a second or two.
SETTLED_SECONDS_MAX: Final = 60.0


def more_of_its_own(
    organization_id: str,
    seen: diagnosis_pb2.Seen,
    unsettled: Iterable[webhook_event_pb2.WebhookEvent],
) -> list[webhook_event_pb2.WebhookEvent]:
    """Return events that were not seen among its newest: older ones of its own, and of nobody.

    Whose an event is, is found out when it is settled: until then it is nobody's, and speaks of
    what the organization has at its providers.
    """
    known = {(event.provider, event.event_id) for event in seen.events}
    objects = {
        object_id
        for each in seen.subscriptions
        for object_id in (each.provider_subscription_id, each.provider_customer_id)
    }
    for payment in seen.payments:
        objects.update((payment.provider_subscription_id, *payment.provider_object_ids))
    objects.discard("")
    return [
        event
        for event in unsettled
        if (event.provider, event.event_id) not in known
        and (
            event.organization_id == organization_id
            or (not event.organization_id and objects.intersection(event.provider_object_ids))
        )
    ]


def _events(case: OrganizationCase, state: int) -> Iterable[webhook_event_pb2.WebhookEvent]:
    return (event for event in case.seen.events if event.state == state)


def _replay(case: OrganizationCase, event: webhook_event_pb2.WebhookEvent, code: str) -> str:
    return case.commands.call(
        "billing_gateway",
        "ReplayWebhookEvents",
        provider=name_of(provider_pb2.Provider, event.provider),
        event_id=event.event_id,
        note=why_note(code),
    )


def dead_events(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of events that could not be handled."""
    for event in _events(case, webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD):
        code = "EVENT_DEAD"
        yield Finding(
            severity=BLOCKING,
            code=code,
            what=f"{event.event_type} {event.event_id} could not be handled: {event.last_error}",
            why="What it says of money or of the subscription is not known here. Mend what it "
            "names, then replay it.",
            next_step=_replay(case, event, code),
            since_time=event.receive_time,
        )


def parked_events(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of events that wait for somebody to say whose they are."""
    for event in _events(case, webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED):
        yield Finding(
            severity=WARNING,
            code="EVENT_PARKED",
            what=f"{event.event_type} {event.event_id} waits: {event.last_error}",
            why="LinkSubscription or AssignPayment settles it; or mend what it names, and replay. "
            "The next step shows what it speaks of.",
            next_step=case.commands.call(
                "billing_gateway",
                "GetWebhookEvent",
                provider=name_of(provider_pb2.Provider, event.provider),
                event_id=event.event_id,
            ),
            since_time=event.receive_time,
        )


def waiting_events(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of events that are stored and not settled."""
    for event in _events(case, webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED):
        age = age_seconds(event.receive_time, case.circumstances.now)
        if age > SETTLED_SECONDS_MAX:
            code = "EVENT_WAITING"
            yield Finding(
                severity=BLOCKING,
                code=code,
                what=f"{event.event_type} {event.event_id} is not settled for {span(age)}",
                why=f"Attempts: {event.attempt_count}. Last error: {event.last_error or 'none'}.",
                by_itself="It is tried again, until it is settled.",
                next_step=_replay(case, event, code),
                since_time=event.receive_time,
            )
