"""CancelSubscription, ReactivateSubscription and SyncSubscription: ask the provider, then look.

Each may be repeated: what counts is how the subscription stands at the provider. Who asked is
written down before the provider is asked, so that a crash in between hides nobody.
"""

from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from datetime import timedelta

from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason, invalid_field
from libs.levels import SubscriptionState
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.billing_gateway.domain.looking import CANCEL_AHEAD
from services.billing_gateway.domain.values import (
    GOOD_STATES,
    ChangeCause,
    Subscription,
    SubscriptionChange,
)
from services.billing_gateway.operations.asking import Asking, Occasion, to_domain_error
from services.billing_gateway.operations.levels import subscription_not_found
from services.billing_gateway.operations.looks import Looks
from services.billing_gateway.ports import ProviderError, ProviderRefusedError
from services.billing_gateway.storage import changes, organizations, subscriptions

# Who breaks off between the command and its look is looked after by then.
LOOK_AFTER = timedelta(minutes=1)
CANCELED = SubscriptionState.CANCELED


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for about an organization's subscription."""

    organization_id: str
    # Empty: the only one; for a sync, all that are not CANCELED.
    subscription_id: str
    note: str
    actor: str


@dataclass(frozen=True)
class Commands:
    """What callers have done to subscriptions at their providers."""

    database: Database
    asking: Asking
    looks: Looks

    async def cancel(self, command: Command, *, at_period_end: bool) -> Subscription:
        """End a subscription, now or with what is paid; return which one."""
        found = await self._find_one(command)
        if found.state is CANCELED or (at_period_end and found.ends_with_its_period):
            return found
        provider = self.asking.require(found.provider)
        occasion = Occasion(ChangeCause.CANCEL, command.actor, command.note)
        await self.database.transact(self._write_command, found, occasion)
        if at_period_end and not provider.cancels_at_period_end:
            if await self.database.transact(self._cancel_later, found, occasion):
                return found
            # Nothing is known to be paid that could be waited for.
            at_period_end = False
        cancelling = provider.cancel_subscription(
            found.subscription_id, at_period_end=at_period_end, note=command.note
        )
        await self._do(found, occasion, cancelling, {CANCELED})
        return found

    async def reactivate(self, command: Command) -> Subscription:
        """Let a suspended subscription run again; return which one."""
        found = await self._find_one(command)
        if found.state in GOOD_STATES:
            return found
        if found.state is not SubscriptionState.SUSPENDED:
            raise DomainError(
                ErrorReason.INVALID_STATE,
                f"the subscription is {found.state}; only a suspended one can be reactivated",
                state=found.state,
            )
        provider = self.asking.require(found.provider)
        occasion = Occasion(ChangeCause.REACTIVATE, command.actor, command.note)
        await self.database.transact(self._write_command, found, occasion)
        reactivating = provider.reactivate_subscription(found.subscription_id, note=command.note)
        await self._do(found, occasion, reactivating, GOOD_STATES)
        return found

    async def sync(self, command: Command) -> list[Subscription]:
        """Ask how subscriptions stand, and believe it; return which ones."""
        organization_id, subscription_id = command.organization_id, command.subscription_id
        owned = await self._list(organization_id)
        named = [each for each in owned if each.subscription_id == subscription_id]
        found = named if subscription_id else [each for each in owned if each.state is not CANCELED]
        if not named and (subscription_id or not owned):
            raise subscription_not_found(organization_id)
        act = Act("SyncSubscription", command.actor, command.note, organization_id, subscription_id)
        await self.database.run(append_action, act)
        for each in found:
            await self._look(each, Occasion(ChangeCause.SYNC, command.actor, command.note))
        return found

    async def _list(self, organization_id: str) -> list[Subscription]:
        return await self.database.run(subscriptions.list_of_organization, organization_id)

    async def _find_one(self, command: Command) -> Subscription:
        """Return the one that is named, or the only one; of those that have ended, the last."""
        owned = await self._list(command.organization_id)
        if command.subscription_id:
            owned = [each for each in owned if each.subscription_id == command.subscription_id]
        if not owned:
            raise subscription_not_found(command.organization_id)
        running = [each for each in owned if each.state is not CANCELED]
        if len(running) > 1:
            raise invalid_field("provider_subscription_id", "there are several: name one")
        return running[0] if running else max(owned, key=_end_order)

    async def _write_command(
        self, connection: Connection, found: Subscription, occasion: Occasion
    ) -> None:
        organization = await organizations.lock(connection, found.organization_id)
        level = organization.level
        change = SubscriptionChange(
            organization_id=found.organization_id,
            cause=occasion.cause,
            provider=found.provider,
            subscription_id=found.subscription_id,
            from_state=found.state,
            to_state=found.state,
            actor=occasion.actor,
            note=occasion.note,
            good_standing=level is not None and level.good_standing,
            good_until=level.good_until if level else None,
        )
        await changes.append(connection, [change])
        await subscriptions.request_look(
            connection, found.provider, found.subscription_id, organization.now + LOOK_AFTER
        )

    async def _cancel_later(
        self, connection: Connection, found: Subscription, occasion: Occasion
    ) -> bool:
        """Let the gateway itself end a subscription in time; answer whether that time is known."""
        await organizations.lock(connection, found.organization_id)
        known = await subscriptions.find(connection, found.provider, found.subscription_id)
        if known is None or known.current_period_end_time is None:
            return False
        due_time = known.current_period_end_time - CANCEL_AHEAD
        await subscriptions.cancel_at(
            connection, known, due_time, actor=occasion.actor, note=occasion.note
        )
        return True

    async def _do(
        self,
        found: Subscription,
        occasion: Occasion,
        asking: Awaitable[None],
        wanted: Collection[SubscriptionState],
    ) -> None:
        """Ask, and look what came of it. A refusal does not count if it is as it was wanted."""
        try:
            await asking
        except ProviderRefusedError as refused:
            await self._look(found, occasion)
            known = await self.database.run(
                subscriptions.find, found.provider, found.subscription_id
            )
            if known is None or known.state not in wanted:
                raise to_domain_error(refused) from refused
        except ProviderError as error:
            raise to_domain_error(error) from error
        else:
            await self._look(found, occasion)

    async def _look(self, found: Subscription, occasion: Occasion) -> None:
        try:
            await self.looks.look_now(found.provider, found.subscription_id, occasion)
        except ProviderError as error:
            raise to_domain_error(error) from error


def _end_order(subscription: Subscription) -> tuple[float, str]:
    time = subscription.provider_time
    return time.timestamp() if time else 0.0, subscription.subscription_id
