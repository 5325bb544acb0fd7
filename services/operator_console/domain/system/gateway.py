"""Rules about all events and what the gateway and the wallet announce."""

from collections.abc import Iterator
from typing import Final

from services.operator_console.domain.findings import (
    CRITICAL,
    WARNING,
    Finding,
    age_seconds,
    name_of,
    span,
)
from services.operator_console.domain.organization.levels import announcer_of
from services.operator_console.domain.system.case import SystemCase
from tollgate.billing_gateway.v1 import overview_pb2, provider_pb2, webhook_event_pb2

WAITING_SECONDS_MAX: Final = 120.0
PARKED_SECONDS_MAX: Final = 3_600.0
PENDING_SECONDS_MAX: Final = 60.0
BAD_SIGNATURES_MAX: Final = 5
SILENT_SECONDS_MAX: Final = 86_400.0


def _events(case: SystemCase, state: int) -> Iterator[tuple[str, overview_pb2.EventCount]]:
    for provider in case.overview.billing_gateway.providers:
        for count in provider.events:
            if count.state == state and count.count:
                yield name_of(provider_pb2.Provider, provider.provider), count


def dead_events(case: SystemCase) -> Iterator[Finding]:
    """Tell of events that could not be handled."""
    for provider, count in _events(case, webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD):
        yield Finding(
            severity=WARNING,
            code="EVENTS_DEAD",
            what=f"{count.count} events of {provider} could not be handled",
            why="What they say of money or of subscriptions is not known here.",
            next_step=case.commands.call(
                "billing_gateway",
                "ListWebhookEvents",
                provider=provider,
                state="WEBHOOK_EVENT_STATE_DEAD",
            ),
            since_time=count.oldest_receive_time,
        )


def parked_events(case: SystemCase) -> Iterator[Finding]:
    """Tell of events that nobody has said of whose they are."""
    for provider, count in _events(case, webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED):
        age = age_seconds(count.oldest_receive_time, case.circumstances.now)
        if age > PARKED_SECONDS_MAX:
            yield Finding(
                severity=WARNING,
                code="EVENTS_PARKED",
                what=f"{count.count} events of {provider} wait, the oldest for {span(age)}",
                why="It is not known whose they are. LinkSubscription or AssignPayment settles "
                "them.",
                next_step=case.commands.call(
                    "billing_gateway",
                    "ListWebhookEvents",
                    provider=provider,
                    state="WEBHOOK_EVENT_STATE_PARKED",
                ),
                since_time=count.oldest_receive_time,
            )


def waiting_events(case: SystemCase) -> Iterator[Finding]:
    """Tell that the inbox is not worked off."""
    for provider, count in _events(case, webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED):
        age = age_seconds(count.oldest_receive_time, case.circumstances.now)
        if age > WAITING_SECONDS_MAX:
            yield Finding(
                severity=CRITICAL,
                code="INBOX_LAG",
                what=f"{count.count} events of {provider} are not settled, the oldest for "
                f"{span(age)}",
                why="Customers have paid and are not credited. The event's last_error says why.",
                by_itself="They are tried again, until they are settled.",
                next_step=case.commands.call(
                    "billing_gateway",
                    "ListWebhookEvents",
                    provider=provider,
                    state="WEBHOOK_EVENT_STATE_RECEIVED",
                ),
                since_time=count.oldest_receive_time,
            )


def bad_signatures(case: SystemCase) -> Iterator[Finding]:
    """Tell that deliveries are refused."""
    for each in case.overview.billing_gateway.providers:
        count = each.recent_bad_signature_count
        if count > BAD_SIGNATURES_MAX:
            provider = name_of(provider_pb2.Provider, each.provider)
            yield Finding(
                severity=WARNING,
                code="SIGNATURE_FAILURES",
                what=f"{count} deliveries to the webhooks of {provider} were not rightly signed "
                "in the last ten minutes",
                why="Was the signing secret rotated at the provider, or a webhook id changed? If "
                "events of it still arrive as well, somebody is trying the door.",
                by_itself="Nothing of theirs is stored. The provider delivers its own again.",
                next_step=case.commands.call(
                    "billing_gateway", "ListWebhookEvents", provider=provider, page_size=5
                ),
            )


def silent_providers(case: SystemCase) -> Iterator[Finding]:
    """Tell of a provider that has told nothing for long, though it has something to tell."""
    for each in case.overview.billing_gateway.providers:
        if not each.HasField("last_receive_time"):
            continue
        age = age_seconds(each.last_receive_time, case.circumstances.now)
        if age > SILENT_SECONDS_MAX:
            provider = name_of(provider_pb2.Provider, each.provider)
            yield Finding(
                severity=WARNING,
                code="WEBHOOKS_MISSING",
                what=f"no event of {provider} has come for {span(age)}",
                why="Nobody has paid by it, or its webhooks do not reach the gateway: see the "
                "provider's own list of deliveries.",
                by_itself="The gateway asks for subscriptions and open checkouts by itself.",
                next_step=case.commands.call(
                    "billing_gateway", "ListWebhookEvents", provider=provider, page_size=5
                ),
                since_time=each.last_receive_time,
            )


def stuck_announcements(case: SystemCase) -> Iterator[Finding]:
    """Tell of levels that observers do not acknowledge."""
    overview = case.overview
    for backlog in (*overview.wallet.announcements, *overview.billing_gateway.announcements):
        age = age_seconds(backlog.oldest_time, case.circumstances.now)
        if backlog.pending_count and age > PENDING_SECONDS_MAX:
            yield Finding(
                severity=CRITICAL,
                code="ANNOUNCEMENTS_STUCK",
                what=f"{backlog.observer} has not acknowledged {backlog.pending_count} levels "
                f"({backlog.level}), the oldest for {span(age)}",
                why="It acts on what was before: who has paid may wait, who has not may send. "
                f"Last error: {backlog.last_error or 'none'}.",
                by_itself="It is told again and again, until it acknowledges.",
                next_step=case.commands.call(announcer_of(backlog.level), "GetOverview"),
                since_time=backlog.oldest_time,
            )
