"""Rpcs of subscriptions and of how organizations stand."""

from datetime import UTC
from typing import Any

from libs.announcing.messages import announcement_message
from libs.rpc.times import optional_time
from services.billing_gateway.domain.values import (
    ChangeFilter,
    CheckoutContent,
    CheckoutKind,
    Subscription,
    SubscriptionFilter,
)
from services.billing_gateway.operations.commands import Command
from services.billing_gateway.operations.comparing import Comparison
from services.billing_gateway.operations.granting import Grace
from services.billing_gateway.operations.linking import Link
from services.billing_gateway.servicer.base import Rpcs
from services.billing_gateway.servicer.messages import (
    change_message,
    level_message,
    optional_provider,
    optional_subscription_state,
    subscription_message,
    subscription_state_value,
    to_provider,
)
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    subscription_pb2,
)


class SubscriptionRpcs(Rpcs):
    """Translates; decides nothing."""

    async def LinkSubscription(
        self, request: billing_gateway_service_pb2.LinkSubscriptionRequest, context: Any
    ) -> billing_gateway_service_pb2.LinkSubscriptionResponse:
        """Say whose a subscription is."""
        link = Link(
            organization_id=request.organization_id,
            provider=to_provider(request.provider),
            subscription_id=request.provider_subscription_id,
            customer_id=request.provider_customer_id,
            plan_id=request.plan_id,
            currency_code=request.currency_code,
            note=request.note,
            actor=request.actor,
        )
        await self._parts.linking.link(link)
        seen = await self._parts.subscriptions.get_subscription(link.provider, link.subscription_id)
        return billing_gateway_service_pb2.LinkSubscriptionResponse(
            subscription=subscription_message(seen)
        )

    async def CreateSubscription(
        self,
        request: billing_gateway_service_subscriptions_pb2.CreateSubscriptionRequest,
        context: Any,
    ) -> billing_gateway_service_subscriptions_pb2.CreateSubscriptionResponse:
        """Have a subscription made."""
        content = CheckoutContent(
            kind=CheckoutKind.SUBSCRIPTION,
            provider=to_provider(request.provider),
            amount_micros=None,
            currency_code="",
            plan_id=request.plan_id,
            return_url=request.return_url,
            cancel_url=request.cancel_url,
        )
        created = await self._parts.checkouts.create(
            request.organization_id, request.reference_id, content
        )
        seen = await self._parts.subscriptions.get_of_checkout(created.checkout)
        return billing_gateway_service_subscriptions_pb2.CreateSubscriptionResponse(
            subscription=subscription_message(seen),
            approval_url=created.open_url,
            replayed=created.replayed,
        )

    async def CancelSubscription(
        self,
        request: billing_gateway_service_subscriptions_pb2.CancelSubscriptionRequest,
        context: Any,
    ) -> billing_gateway_service_subscriptions_pb2.CancelSubscriptionResponse:
        """End a subscription."""
        found = await self._parts.commands.cancel(
            _command(request), at_period_end=request.at_period_end
        )
        return billing_gateway_service_subscriptions_pb2.CancelSubscriptionResponse(
            subscription=await self._as_it_stands(found)
        )

    async def ReactivateSubscription(
        self,
        request: billing_gateway_service_subscriptions_pb2.ReactivateSubscriptionRequest,
        context: Any,
    ) -> billing_gateway_service_subscriptions_pb2.ReactivateSubscriptionResponse:
        """Let a suspended subscription run again."""
        found = await self._parts.commands.reactivate(_command(request))
        return billing_gateway_service_subscriptions_pb2.ReactivateSubscriptionResponse(
            subscription=await self._as_it_stands(found)
        )

    async def SyncSubscription(
        self,
        request: billing_gateway_service_subscriptions_pb2.SyncSubscriptionRequest,
        context: Any,
    ) -> billing_gateway_service_subscriptions_pb2.SyncSubscriptionResponse:
        """Ask the provider how subscriptions stand."""
        found = await self._parts.commands.sync(_command(request))
        return billing_gateway_service_subscriptions_pb2.SyncSubscriptionResponse(
            subscriptions=[await self._as_it_stands(each) for each in found]
        )

    async def GetSubscription(
        self, request: billing_gateway_service_pb2.GetSubscriptionRequest, context: Any
    ) -> billing_gateway_service_pb2.GetSubscriptionResponse:
        """Answer how an organization stands."""
        standing = await self._parts.subscriptions.get_standing(request.organization_id)
        deciding = standing.deciding
        return billing_gateway_service_pb2.GetSubscriptionResponse(
            deciding_subscription=subscription_message(deciding) if deciding else None,
            subscriptions=[subscription_message(each) for each in standing.subscriptions],
            level=level_message(standing),
        )

    async def ListSubscriptions(
        self,
        request: billing_gateway_service_subscriptions_pb2.ListSubscriptionsRequest,
        context: Any,
    ) -> billing_gateway_service_subscriptions_pb2.ListSubscriptionsResponse:
        """List subscriptions."""
        wanted = SubscriptionFilter(
            organization_id=request.organization_id,
            provider=optional_provider(request.provider),
            state=optional_subscription_state(request.state),
            good_standing=request.good_standing if request.HasField("good_standing") else None,
        )
        page = await self._parts.subscriptions.list_subscriptions(
            wanted, request.page_size, request.page_token
        )
        return billing_gateway_service_subscriptions_pb2.ListSubscriptionsResponse(
            subscriptions=[subscription_message(each) for each in page.items],
            next_page_token=page.next_page_token,
        )

    async def GrantGrace(
        self, request: billing_gateway_service_subscriptions_pb2.GrantGraceRequest, context: Any
    ) -> billing_gateway_service_subscriptions_pb2.GrantGraceResponse:
        """Let an organization send in spite of its subscription."""
        grace = Grace(
            organization_id=request.organization_id,
            end_time=request.until.ToDatetime(tzinfo=UTC),
            note=request.note,
            actor=request.actor,
        )
        await self._parts.granting.grant(grace)
        standing = await self._parts.subscriptions.get_standing(request.organization_id)
        return billing_gateway_service_subscriptions_pb2.GrantGraceResponse(
            level=level_message(standing)
        )

    async def ListSubscriptionChanges(
        self,
        request: billing_gateway_service_subscriptions_pb2.ListSubscriptionChangesRequest,
        context: Any,
    ) -> billing_gateway_service_subscriptions_pb2.ListSubscriptionChangesResponse:
        """List history."""
        wanted = ChangeFilter(
            organization_id=request.organization_id,
            start_time=optional_time(request, "start_time"),
            end_time=optional_time(request, "end_time"),
        )
        page = await self._parts.subscriptions.list_changes(
            wanted, request.page_size, request.page_token
        )
        return billing_gateway_service_subscriptions_pb2.ListSubscriptionChangesResponse(
            changes=[change_message(each) for each in page.items],
            next_page_token=page.next_page_token,
        )

    async def ListAnnouncements(
        self, request: billing_gateway_service_pb2.ListAnnouncementsRequest, context: Any
    ) -> billing_gateway_service_pb2.ListAnnouncementsResponse:
        """List how far observers have taken an organization's levels."""
        found = await self._parts.subscriptions.list_announcements(request.organization_id)
        return billing_gateway_service_pb2.ListAnnouncementsResponse(
            announcements=[announcement_message(each) for each in found]
        )

    async def CompareSubscriptions(
        self, request: billing_gateway_service_pb2.CompareSubscriptionsRequest, context: Any
    ) -> billing_gateway_service_pb2.CompareSubscriptionsResponse:
        """Tell where the providers see subscriptions otherwise."""
        found = await self._parts.comparing.compare(request.organization_id)
        return billing_gateway_service_pb2.CompareSubscriptionsResponse(
            comparisons=[_comparison_message(each) for each in found]
        )

    async def _as_it_stands(self, found: Subscription) -> subscription_pb2.Subscription:
        seen = await self._parts.subscriptions.get_subscription(
            found.provider, found.subscription_id
        )
        return subscription_message(seen)


def _command(
    request: billing_gateway_service_subscriptions_pb2.CancelSubscriptionRequest
    | billing_gateway_service_subscriptions_pb2.ReactivateSubscriptionRequest
    | billing_gateway_service_subscriptions_pb2.SyncSubscriptionRequest,
) -> Command:
    return Command(
        organization_id=request.organization_id,
        subscription_id=request.provider_subscription_id,
        note=request.note,
        actor=request.actor,
    )


def _comparison_message(found: Comparison) -> billing_gateway_service_pb2.SubscriptionComparison:
    theirs = found.theirs
    return billing_gateway_service_pb2.SubscriptionComparison(
        subscription=subscription_message(found.ours),
        provider_state=subscription_state_value(theirs.state if theirs else None),
        provider_error=found.error,
        differs=found.differs,
    )
