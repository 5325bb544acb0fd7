"""Settles events, from the inbox to rows and levels: one transaction each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from libs.database import TRANSIENT_ERRORS, Connection, Database
from libs.errors import DomainError
from libs.logs import get_logger
from libs.workers import back_off_seconds
from services.billing_gateway.domain import crediting, standing
from services.billing_gateway.domain.crediting import PlanCredit
from services.billing_gateway.domain.observations import (
    Ignored,
    Observation,
    Observed,
    PaymentObserved,
    SubscriptionClaimed,
    SubscriptionObserved,
    Unreadable,
)
from services.billing_gateway.domain.values import EventState, Payment, Provider, Subscription
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.ports import PaymentProvider
from services.billing_gateway.storage import inbox, organizations, payments, subscriptions
from services.billing_gateway.storage.inbox import Outcome, StoredEvent

ATTEMPTS_MAX = 20
BACK_OFF_BASE_SECONDS = 0.5
BACK_OFF_MAX_SECONDS = 300.0


@dataclass(frozen=True)
class SettlingRules:
    """What the settings say of owners and credits."""

    trust_claimed_organizations: bool
    plans: Mapping[str, PlanCredit]


@dataclass(frozen=True, slots=True)
class Settled:
    """One event, settled, and which levels it changed."""

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
        owner = settled.outcome.organization_id
        if settled.level_changed:
            self._levels.wake_subscription(owner)
        for payment_id in settled.payment_ids:
            self._levels.wake_payment(owner, payment_id)
        return True

    async def _settle_next(self, connection: Connection) -> Settled | None:
        stored = await inbox.claim_next(connection)
        if stored is None:
            return None
        settled = await self._settle_or_explain(connection, stored)
        await inbox.save_outcome(connection, stored.event, settled.outcome)
        get_logger().info(
            "event_settled",
            event_id=stored.event.event_id,
            event_type=stored.event.event_type,
            state=settled.outcome.state,
            organization_id=settled.outcome.organization_id,
            error=settled.outcome.last_error,
        )
        return settled

    async def _settle_or_explain(self, connection: Connection, stored: StoredEvent) -> Settled:
        """What goes wrong with one event is undone and written down; it holds up no other."""
        try:
            async with connection.transaction():
                return await self._settle(connection, stored)
        except TRANSIENT_ERRORS:
            raise
        except DomainError as error:
            return Settled(Outcome(EventState.DEAD, last_error=f"{error.reason}: {error.message}"))
        except Exception as error:  # noqa: BLE001 - whatever it is, other events go on
            get_logger().exception("event_failed", event_id=stored.event.event_id)
            return Settled(_retry_or_give_up(stored, error))

    async def _settle(self, connection: Connection, stored: StoredEvent) -> Settled:
        event = stored.event
        translation = self._providers[event.provider].translate(stored.body, event.receive_time)
        match translation:
            case Ignored():
                return Settled(Outcome(EventState.IGNORED))
            case Unreadable():
                return Settled(Outcome(EventState.DEAD, last_error=translation.problem))
            case Observed():
                return await self._settle_observed(connection, stored, translation)
            case _:
                assert_never(translation)

    async def _settle_observed(
        self, connection: Connection, stored: StoredEvent, observed: Observed
    ) -> Settled:
        provider = stored.event.provider
        object_ids = {each for one in observed.observations for each in one.object_ids if each}
        outcome = Outcome(
            EventState.PARKED,
            object_ids=tuple(sorted(object_ids)),
            observations=tuple(str(each) for each in observed.observations),
            last_error="no organization is linked to any of its objects",
        )
        await organizations.lock_objects(connection, provider, object_ids)
        owner = await self._find_owner(connection, provider, observed.observations)
        if owner is None:
            return Settled(outcome)
        told = await organizations.lock(connection, owner)
        for observation in observed.observations:
            await self._record(connection, stored, owner, observation)
        changed = await self._levels.update_subscription_level(connection, owner, told)
        await inbox.unpark(connection, provider, object_ids)
        done = replace(outcome, state=EventState.DONE, organization_id=owner, last_error="")
        paid = [each for each in observed.observations if isinstance(each, PaymentObserved)]
        return Settled(done, changed, tuple(each.payment_id for each in paid))

    async def _find_owner(
        self, connection: Connection, provider: Provider, observations: tuple[Observation, ...]
    ) -> str | None:
        """Our own links come first; what an event claims counts only where a setting says so."""
        for observation in observations:
            subscription = await subscriptions.find(
                connection, provider, observation.subscription_id
            )
            if subscription is not None:
                return subscription.organization_id
            owners = await subscriptions.find_owners_of_customer(
                connection, provider, observation.customer_id
            )
            if owner := standing.only_owner(owners):
                return owner
            if self._rules.trust_claimed_organizations and observation.claimed_organization_id:
                return observation.claimed_organization_id
        return None

    async def _record(
        self, connection: Connection, stored: StoredEvent, owner: str, observation: Observation
    ) -> None:
        match observation:
            case SubscriptionObserved() | SubscriptionClaimed():
                await self._record_subscription(connection, stored, owner, observation)
            case PaymentObserved():
                await self._record_payment(connection, stored, owner, observation)
            case _:
                assert_never(observation)

    async def _record_subscription(
        self,
        connection: Connection,
        stored: StoredEvent,
        owner: str,
        observation: SubscriptionObserved | SubscriptionClaimed,
    ) -> None:
        provider = stored.event.provider
        known = await subscriptions.find(connection, provider, observation.subscription_id)
        subscription = known or Subscription(
            organization_id=owner,
            provider=provider,
            subscription_id=observation.subscription_id,
            customer_id=observation.customer_id,
            linked_plan_id="",
            update=None,
            update_time=datetime.now(UTC),
        )
        if isinstance(observation, SubscriptionObserved):
            subscription = standing.observe(subscription, observation, stored.event.event_id)
        if subscription != known:
            await subscriptions.save(connection, subscription)

    async def _record_payment(
        self, connection: Connection, stored: StoredEvent, owner: str, observed: PaymentObserved
    ) -> None:
        event = stored.event
        known = await payments.find(connection, event.provider, observed.payment_id)
        if known is not None:
            crediting.require_same_payment(known, observed)
            await payments.add_event(connection, known, event.event_id)
            return
        payment = await self._credit(connection, stored, owner, observed)
        await payments.insert(connection, payment)
        await self._levels.mark_payment(connection, payment)

    async def _credit(
        self, connection: Connection, stored: StoredEvent, owner: str, observed: PaymentObserved
    ) -> Payment:
        """Decide, once, what a payment credits."""
        plans, provider = self._rules.plans, stored.event.provider
        period_start = observed.renewed_period_start_time
        taken = False
        if period_start is not None:
            taken = await payments.is_allowance_taken(
                connection, provider, observed.subscription_id, period_start
            )
        credited = crediting.credited_micros(observed, plans, allowance_taken=taken)
        takes = crediting.takes_allowance(observed, plans) and not taken
        return Payment(
            organization_id=owner,
            provider=provider,
            payment_id=observed.payment_id,
            subscription_id=observed.subscription_id,
            plan_id=observed.plan_id,
            currency_code=observed.currency_code,
            paid_micros=observed.paid_micros,
            credited_micros=credited,
            allowance_period_start_time=period_start if takes else None,
            paid_time=observed.paid_time,
            revision=1,
            event_ids=(stored.event.event_id,),
            create_time=stored.event.receive_time,
        )


def _retry_or_give_up(stored: StoredEvent, error: Exception) -> Outcome:
    attempt_count = stored.event.attempt_count + 1
    given_up = attempt_count >= ATTEMPTS_MAX
    return Outcome(
        EventState.DEAD if given_up else EventState.RECEIVED,
        last_error=f"internal error: {type(error).__name__}",
        retry_in_seconds=back_off_seconds(
            attempt_count, BACK_OFF_BASE_SECONDS, BACK_OFF_MAX_SECONDS
        ),
    )
