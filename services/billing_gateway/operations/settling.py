"""Settles events, from the inbox to rows and levels: one transaction each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from libs.database import TIMED_OUT_ERRORS, TRANSIENT_ERRORS, Connection, Database
from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger
from libs.workers import back_off_seconds
from services.billing_gateway.domain import crediting, standing
from services.billing_gateway.domain.crediting import Credit, PlanCredit
from services.billing_gateway.domain.observations import (
    Ignored,
    Observation,
    Observed,
    PaymentPaid,
    SubscriptionClaimed,
    SubscriptionObserved,
    Unreadable,
)
from services.billing_gateway.domain.ownership import Owners, Unowned, find_owner
from services.billing_gateway.domain.standing import Heard
from services.billing_gateway.domain.values import (
    EventState,
    Payment,
    PaymentState,
    Provider,
    Subscription,
    WebhookEvent,
)
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.ports import PaymentProvider
from services.billing_gateway.storage import inbox, objects, organizations, payments, subscriptions
from services.billing_gateway.storage.inbox import Outcome, StoredEvent

Recordable: TypeAlias = SubscriptionObserved | SubscriptionClaimed | PaymentPaid

ATTEMPTS_MAX = 20
BACK_OFF_BASE_SECONDS = 0.5
BACK_OFF_MAX_SECONDS = 300.0
LOCK_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class SettlingRules:
    """What the settings say of owners and credits."""

    trust_claimed_organizations: bool
    plans: Mapping[str, PlanCredit]


@dataclass(frozen=True, slots=True)
class Settled:
    """One event, settled, and which levels it changed."""

    event: WebhookEvent
    outcome: Outcome
    level_changed: bool = False
    payment_ids: tuple[str, ...] = ()


class Settling:
    """The way from the inbox to the levels."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[Provider, PaymentProvider],
        levels: Levels,
        rules: SettlingRules,
    ) -> None:
        self._database = database
        self._providers = providers
        self._levels = levels
        self._rules = rules

    async def settle_next(self) -> bool:
        """Settle one event that is due; answer whether there was one."""
        settled = await self._database.transact(self._settle_next)
        if settled is None:
            return False
        outcome = settled.outcome
        get_logger().info(
            "event_settled",
            event_id=settled.event.event_id,
            event_type=settled.event.event_type,
            state=outcome.state,
            organization_id=outcome.organization_id,
            error=outcome.last_error,
        )
        if settled.level_changed:
            self._levels.wake_subscription(outcome.organization_id)
        for payment_id in settled.payment_ids:
            self._levels.wake_payment(outcome.organization_id, payment_id)
        return True

    async def _settle_next(self, connection: Connection) -> Settled | None:
        stored = await inbox.claim_next(connection)
        if stored is None:
            return None
        settled = await self._translate_and_settle(connection, stored)
        await inbox.save_outcome(connection, stored.event, settled.outcome)
        return settled

    async def _translate_and_settle(self, connection: Connection, stored: StoredEvent) -> Settled:
        event = stored.event
        translation = self._providers[event.provider].translate(stored.body, event.receive_time)
        match translation:
            case Ignored():
                return Settled(event, Outcome(EventState.IGNORED))
            case Unreadable():
                return Settled(event, Outcome(EventState.DEAD, last_error=translation.problem))
            case Observed():
                return await self._settle_or_explain(connection, event, translation)
            case _:
                assert_never(translation)

    async def _settle_or_explain(
        self, connection: Connection, event: WebhookEvent, observed: Observed
    ) -> Settled:
        """What goes wrong with one event is undone and written down; it holds up no other."""
        told = _told_by(observed)
        try:
            async with connection.transaction():
                return await self._settle(connection, event, observed, told)
        except TIMED_OUT_ERRORS:
            return Settled(event, _wait(told))
        except TRANSIENT_ERRORS:
            raise
        except DomainError as error:
            problem = f"{error.reason}: {error.message}"
            return Settled(event, replace(told, state=EventState.DEAD, last_error=problem))
        except Exception as error:  # noqa: BLE001 - whatever it is, other events go on
            get_logger().exception("event_failed", event_id=event.event_id)
            return Settled(event, _retry_or_give_up(told, event, error))

    async def _settle(
        self, connection: Connection, event: WebhookEvent, observed: Observed, told: Outcome
    ) -> Settled:
        await objects.lock(connection, event.provider, told.object_ids)
        [observation, *more] = [_require_recordable(each) for each in observed.observations]
        owner = await self._find_owner(connection, event.provider, observation)
        if isinstance(owner, Unowned):
            parked = replace(told, state=EventState.PARKED, last_error=owner.problem)
            return Settled(event, parked)
        level = await organizations.lock(connection, owner)
        payment_ids = [
            await self._record(connection, event, owner, each) for each in (observation, *more)
        ]
        changed = await self._levels.update_subscription_level(connection, owner, level)
        await inbox.unpark(connection, event.provider, told.object_ids)
        done = replace(told, state=EventState.DONE, organization_id=owner)
        return Settled(event, done, changed, tuple(each for each in payment_ids if each))

    async def _find_owner(
        self, connection: Connection, provider: Provider, observation: Recordable
    ) -> str | Unowned:
        customer_id = observation.customer_id
        known = await subscriptions.find(connection, provider, observation.subscription_id)
        owners = Owners(
            of_subscription=known.organization_id if known else None,
            of_linked_customer=await subscriptions.list_owners_of_linked_customer(
                connection, provider, customer_id
            ),
            claimed=observation.claim.organization_id if observation.claim else "",
            of_learnt_customer=await subscriptions.list_owners_of_learnt_customer(
                connection, provider, customer_id
            ),
        )
        return find_owner(owners, trust_claims=self._rules.trust_claimed_organizations)

    async def _record(
        self, connection: Connection, event: WebhookEvent, owner: str, observation: Recordable
    ) -> str | None:
        """Record an observation; return the payment whose level it made, if any."""
        match observation:
            case SubscriptionObserved() | SubscriptionClaimed():
                await self._record_subscription(connection, event, owner, observation)
                return None
            case PaymentPaid():
                return await self._record_payment(connection, event, owner, observation)
            case _:
                assert_never(observation)

    async def _record_subscription(
        self,
        connection: Connection,
        event: WebhookEvent,
        owner: str,
        observation: SubscriptionObserved | SubscriptionClaimed,
    ) -> None:
        subscription_id = observation.subscription_id
        known = await subscriptions.find_heard(connection, event.provider, subscription_id)
        customer_id = observation.customer_id
        heard = known or Heard(
            Subscription(owner, event.provider, subscription_id, learnt_customer_id=customer_id)
        )
        if isinstance(observation, SubscriptionObserved):
            heard = standing.observe(heard, observation, event.event_id)
        if heard != known:
            await subscriptions.save(connection, heard)

    async def _record_payment(
        self, connection: Connection, event: WebhookEvent, owner: str, observed: PaymentPaid
    ) -> str | None:
        known = await payments.find(
            connection, event.provider, _payment_id(event.provider, observed)
        )
        if known is not None:
            crediting.require_same_payment(known, observed, owner)
            await payments.add_event(connection, known, event.event_id)
            return None
        credit = await self._decide_credit(connection, event.provider, observed)
        payment = _new_payment(event, owner, observed, credit)
        await payments.insert(connection, payment)
        await self._levels.mark_payment(connection, payment)
        return payment.payment_id

    async def _decide_credit(
        self, connection: Connection, provider: Provider, observed: PaymentPaid
    ) -> Credit:
        subscription = await subscriptions.find(connection, provider, observed.subscription_id)
        plan_id = subscription.plan_id if subscription else ""
        credit = crediting.decide_credit(observed, self._rules.plans, plan_id)
        period_start = credit.allowance_period_start_time
        if period_start is not None and await payments.is_allowance_taken(
            connection, provider, observed.subscription_id, period_start
        ):
            return Credit(credit.plan_id, 0)
        return credit


def _told_by(observed: Observed) -> Outcome:
    object_ids = {each for one in observed.observations for each in one.object_ids if each}
    return Outcome(
        EventState.RECEIVED,
        object_ids=tuple(sorted(object_ids)),
        observations=tuple(str(each) for each in observed.observations),
    )


def _require_recordable(observation: Observation) -> Recordable:
    if isinstance(observation, Recordable):
        return observation
    raise DomainError(ErrorReason.INVALID_STATE, f"this is not recorded: {observation}")


def _payment_id(provider: Provider, observed: PaymentPaid) -> str:
    return f"{provider.lower()}:{observed.objects[0].object_id}"


def _new_payment(event: WebhookEvent, owner: str, observed: PaymentPaid, credit: Credit) -> Payment:
    return Payment(
        organization_id=owner,
        provider=event.provider,
        payment_id=_payment_id(event.provider, observed),
        subscription_id=observed.subscription_id,
        plan_id=credit.plan_id,
        currency_code=observed.currency_code,
        paid_micros=observed.paid_micros,
        credited_micros=credit.micros,
        allowance_period_start_time=credit.allowance_period_start_time,
        paid_time=observed.paid_time,
        state=PaymentState.PAID,
        revision=1,
        event_ids=(event.event_id,),
        create_time=event.receive_time,
    )


def _wait(told: Outcome) -> Outcome:
    return replace(
        told,
        last_error="waits for another transaction of its organization",
        retry_in_seconds=LOCK_WAIT_SECONDS,
        is_attempt=False,
    )


def _retry_or_give_up(told: Outcome, event: WebhookEvent, error: Exception) -> Outcome:
    attempt_count = event.attempt_count + 1
    return replace(
        told,
        state=EventState.DEAD if attempt_count >= ATTEMPTS_MAX else EventState.RECEIVED,
        last_error=f"internal error: {type(error).__name__}",
        retry_in_seconds=back_off_seconds(
            attempt_count, BACK_OFF_BASE_SECONDS, BACK_OFF_MAX_SECONDS
        ),
    )
