"""Says whose a provider's subscription and customer are."""

from dataclasses import dataclass, replace

from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason
from libs.levels import SubscriptionLevel
from services.billing_gateway.domain.ownership import Named
from services.billing_gateway.domain.values import (
    ChangeCause,
    Provider,
    Subscription,
    SubscriptionChange,
)
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.operations.recording.parts import Wakes
from services.billing_gateway.ports import WalletOpener
from services.billing_gateway.storage import (
    changes,
    inbox,
    objects,
    organizations,
    owners,
    subscriptions,
)


@dataclass(frozen=True, slots=True)
class Link:
    """A caller's word on whose a subscription is."""

    organization_id: str
    provider: Provider
    subscription_id: str
    customer_id: str
    plan_id: str
    currency_code: str
    note: str
    actor: str


class Linking:
    """LinkSubscription."""

    def __init__(
        self,
        database: Database,
        levels: Levels,
        wallet: WalletOpener,
        wakes: Wakes,
    ) -> None:
        self._database = database
        self._levels = levels
        self._wallet = wallet
        self._wakes = wakes

    async def link(self, link: Link) -> None:
        """Link, settle what was parked for it, and open the wallet if a currency is given."""
        # Refused before the wallet is asked, so that a refused link opens none; only the loser of
        # two links at once may have opened its own organization's. The wallet comes before the
        # link, so that no parked payment decides its currency.
        await self._database.run(self._merge, link)
        if link.currency_code:
            await self._wallet.create_wallet(link.organization_id, link.currency_code)
        await self._database.transact(self._link, link)
        self._levels.wake_subscription(link.organization_id)
        self._wakes.settling()
        self._wakes.looks()

    async def _link(self, connection: Connection, link: Link) -> None:
        object_ids = {link.subscription_id, link.customer_id}
        await objects.lock(connection, link.provider, object_ids)
        organization = await organizations.lock(connection, link.organization_id)
        known, linked = await self._merge(connection, link)
        if linked != known:
            await subscriptions.save(connection, linked, organization.now, is_heard=False)
        update = await self._levels.update_subscription_level(connection, organization)
        if linked != known:
            await changes.append(connection, [_change(known, linked, link, update.level)])
        await inbox.unpark(connection, link.provider, object_ids)

    async def _merge(
        self, connection: Connection, link: Link
    ) -> tuple[Subscription | None, Subscription]:
        """Return the subscription as it is known and as the link makes it, or refuse."""
        known = await subscriptions.find(connection, link.provider, link.subscription_id)
        named = Named(link.subscription_id, link.customer_id)
        [of_it] = await owners.list_owners(connection, link.provider, [named])
        if of_it.everybody - {link.organization_id}:
            raise _already_linked(link)
        if known and known.customer_id and link.customer_id not in ("", known.customer_id):
            raise _customer_conflict(known, link)
        subscription = known or Subscription(
            link.organization_id, link.provider, link.subscription_id
        )
        linked = replace(
            subscription,
            linked_customer_id=link.customer_id or subscription.linked_customer_id,
            linked_plan_id=link.plan_id or subscription.linked_plan_id,
        )
        return known, linked


def _change(
    known: Subscription | None, linked: Subscription, link: Link, level: SubscriptionLevel
) -> SubscriptionChange:
    return SubscriptionChange(
        organization_id=linked.organization_id,
        cause=ChangeCause.LINK,
        provider=linked.provider,
        subscription_id=linked.subscription_id,
        from_state=known.state if known else None,
        to_state=linked.state,
        actor=link.actor,
        note=link.note,
        good_standing=level.good_standing,
        good_until=level.good_until,
    )


def _already_linked(link: Link) -> DomainError:
    return DomainError(
        ErrorReason.ALREADY_LINKED,
        "the subscription or the customer belongs to another organization",
        providerSubscriptionId=link.subscription_id,
    )


def _customer_conflict(known: Subscription, link: Link) -> DomainError:
    return DomainError(
        ErrorReason.REFERENCE_CONFLICT,
        f"the subscription is of customer {known.customer_id}",
        providerSubscriptionId=link.subscription_id,
        differingFields="provider_customer_id",
    )
