"""What a flow of money credits, once it is paid and its owner is known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from libs.database import Connection
from services.billing_gateway.domain import crediting
from services.billing_gateway.domain.crediting import Credit, PlanCredit, PlanTold
from services.billing_gateway.domain.observations import PaymentPaid
from services.billing_gateway.domain.values import Provider, Subscription
from services.billing_gateway.operations.recording.flows import Flow
from services.billing_gateway.operations.recording.parts import Organizations
from services.billing_gateway.storage import facts, payments, subscriptions


@dataclass(frozen=True, slots=True)
class Undecided:
    """Why a payment credits nothing yet; empty if there is nothing to decide any more."""

    problem: str = ""
    is_look_due: bool = False


DECIDED = Undecided()


class Crediting:
    """Decides once; an allowance is given once for each subscription and period."""

    def __init__(self, plans: Mapping[str, PlanCredit], askable: frozenset[Provider]) -> None:
        self._plans = plans
        self._askable = askable

    async def credit(
        self, connection: Connection, flow: Flow, organizations: Organizations
    ) -> Undecided:
        """Give a payment its credit if it can be decided; its owner, if known, is locked."""
        payment = flow.payment
        if payment.paid_micros is None or payment.credited_micros is not None:
            return DECIDED
        if payment.organization_id is None:
            return Undecided(payment.problem)
        if not payment.subscription_id:
            _give(flow, Credit("", payment.paid_micros))
            return DECIDED
        if flow.paid is None:
            # What was paid for stands in the parked event, which is settled again.
            return Undecided(payment.problem)
        now = organizations[payment.organization_id].now
        return await self._decide(connection, flow, flow.paid, now)

    async def _decide(
        self, connection: Connection, flow: Flow, paid: PaymentPaid, now: datetime
    ) -> Undecided:
        provider, subscription_id, plan_id = flow.payment.provider, paid.subscription_id, ""
        if crediting.needs_plan(paid):
            found = await subscriptions.find(connection, provider, subscription_id)
            plan_id = await self._plan_of(connection, found, paid.paid_time)
            if self._may_yet_tell(found) or (self._plans and not plan_id):
                return await self._ask_for_plan(connection, found, now)
        credit = crediting.decide_credit(paid, self._plans, plan_id)
        period_start = credit.allowance_period_start_time
        if period_start is not None and await payments.is_allowance_taken(
            connection, provider, subscription_id, period_start
        ):
            credit = Credit(credit.plan_id, 0)
        _give(flow, credit)
        return DECIDED

    async def _plan_of(
        self, connection: Connection, subscription: Subscription | None, time: datetime
    ) -> str:
        if subscription is None:
            return ""
        told = await facts.list_of_subscription(
            connection, subscription.provider, subscription.subscription_id
        )
        plans = [
            PlanTold(fact.details_time, fact.plan_id)
            for fact in told
            if fact.details_time is not None and fact.plan_id
        ]
        return crediting.plan_at(plans, subscription.linked_plan_id, time)

    async def _ask_for_plan(
        self, connection: Connection, subscription: Subscription | None, now: datetime
    ) -> Undecided:
        """The plan comes with what is told of the subscription next; asking is worth it once."""
        is_look_due = self._may_yet_tell(subscription)
        if subscription is not None and is_look_due:
            await subscriptions.request_look(
                connection, subscription.provider, subscription.subscription_id, now
            )
        return Undecided("its plan is not known yet", is_look_due)

    def _may_yet_tell(self, subscription: Subscription | None) -> bool:
        """Tell whether the provider has not told of the subscription yet, and can be asked."""
        if subscription is None or subscription.heard_time is not None:
            return False
        return subscription.provider in self._askable


def _give(flow: Flow, credit: Credit) -> None:
    flow.payment = replace(
        flow.payment,
        plan_id=credit.plan_id,
        credited_micros=credit.micros,
        allowance_period_start_time=credit.allowance_period_start_time,
    )
