"""Payments: each is credited once."""

# ruff: noqa: ARG002 - what it need not know the protocol tells it all the same

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from libs.announcing.ports import LevelKey
from libs.database import Connection
from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain import crediting, flows
from services.billing_gateway.domain.crediting import Credit, PlanCredit
from services.billing_gateway.domain.observations import PaymentPaid
from services.billing_gateway.domain.ownership import Unowned
from services.billing_gateway.domain.values import Payment, PaymentState, Provider
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.operations.recording.parts import (
    Organizations,
    PartRecorded,
    PaymentTold,
    Told,
)
from services.billing_gateway.operations.recording_port import Source
from services.billing_gateway.storage import payments, subscriptions


@dataclass(frozen=True)
class PaidPayments:
    """Records what was paid; the objects' locks are all that it needs."""

    levels: Levels
    plans: Mapping[str, PlanCredit]

    async def lock(
        self,
        connection: Connection,
        source: Source,
        observations: Sequence[PaymentTold],
        *,
        wait: bool,
    ) -> "PaidPayments":
        """Lock nothing more."""
        for observation in observations:
            if not isinstance(observation, PaymentPaid):
                raise DomainError(ErrorReason.INVALID_STATE, f"this is not recorded: {observation}")
        return self

    def owner_of(self, observation: PaymentTold, found: str | Unowned) -> str | Unowned:
        """It is whose it is by all but the rows."""
        return found

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Record what was paid by somebody who is known."""
        problems, keys = list[str](), list[LevelKey]()
        for each in told:
            if isinstance(each.owner, Unowned):
                problems.append(each.owner.problem)
            elif isinstance(each.observation, PaymentPaid):
                keys += await self._record(connection, source, each.owner, each.observation)
        return PartRecorded(problems=tuple(problems), payment_levels=tuple(keys))

    async def _record(
        self, connection: Connection, source: Source, owner: str, paid: PaymentPaid
    ) -> Sequence[LevelKey]:
        payment_id = f"{source.provider.lower()}:{paid.objects[0].object_id}"
        known = await payments.find(connection, source.provider, payment_id)
        if known is not None:
            flows.tell_paid(known, paid)
            await payments.add_event(connection, known, source.source_id)
            return ()
        credit = await self._decide_credit(connection, source.provider, paid)
        payment = Payment(
            organization_id=owner,
            provider=source.provider,
            payment_id=payment_id,
            subscription_id=paid.subscription_id,
            plan_id=credit.plan_id,
            currency_code=paid.currency_code,
            paid_micros=paid.paid_micros,
            credited_micros=credit.micros,
            allowance_period_start_time=credit.allowance_period_start_time,
            paid_time=paid.paid_time,
            state=PaymentState.PAID,
            revision=1,
            event_ids=(source.source_id,),
            create_time=source.receive_time,
        )
        await payments.insert(connection, payment)
        await self.levels.mark_payment(connection, payment)
        return (LevelKey(owner, payment_id),)

    async def _decide_credit(
        self, connection: Connection, provider: Provider, paid: PaymentPaid
    ) -> Credit:
        subscription = await subscriptions.find(connection, provider, paid.subscription_id)
        plan_id = subscription.plan_id if subscription else ""
        credit = crediting.decide_credit(paid, self.plans, plan_id)
        period_start = credit.allowance_period_start_time
        if period_start is not None and await payments.is_allowance_taken(
            connection, provider, paid.subscription_id, period_start
        ):
            return Credit(credit.plan_id, 0)
        return credit
