"""The two levels that the gateway owns, and how a change of them is told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from libs.announcing.announcer import Announcer
from libs.announcing.ports import CurrentLevel, Delivery, LevelKey
from libs.database import Connection
from libs.errors import DomainError, ErrorReason
from libs.levels import SubscriptionLevel
from services.billing_gateway.domain.standing import organization_standing
from services.billing_gateway.domain.values import Payment, PaymentLevel
from services.billing_gateway.ports import WALLET
from services.billing_gateway.storage import organizations, payments, subscriptions
from services.billing_gateway.storage.organizations import LockedOrganization


class SubscriptionLevels:
    """The subscription level, as the announcer needs it."""

    async def read_level(self, connection: Connection, key: LevelKey) -> SubscriptionLevel:
        """Return the level as it stands now."""
        row = await organizations.read(connection, key.organization_id)
        if row is None:
            raise subscription_not_found(key.organization_id)
        return row.level

    async def lift_revision(
        self, connection: Connection, key: LevelKey, from_at_most: int, to: int
    ) -> bool:
        """Set the revision above one that an observer holds."""
        organization_id = key.organization_id
        return await organizations.lift_revision(connection, organization_id, from_at_most, to)

    async def list_levels(
        self, connection: Connection, after: LevelKey | None, limit: int
    ) -> Sequence[CurrentLevel]:
        """Return all levels, a batch at a time."""
        organization_id = after.organization_id if after else ""
        return await organizations.list_levels(connection, organization_id, limit)


class PaymentLevels:
    """The payment level, as the announcer needs it."""

    async def read_level(self, connection: Connection, key: LevelKey) -> PaymentLevel:
        """Return the level as it stands now."""
        payment = await payments.find_by_key(connection, key)
        if payment is None or payment.credited_micros is None:
            raise payment_not_found(key.key)
        return PaymentLevel(
            revision=payment.revision,
            currency_code=payment.currency_code,
            credited_micros=payment.credited_micros,
            reversed_micros=payment.standing.reversed_micros,
            at_risk_micros=payment.standing.at_risk_micros,
            blocks_spending=payment.standing.blocks_spending,
            description=_description(payment),
        )

    async def lift_revision(
        self, connection: Connection, key: LevelKey, from_at_most: int, to: int
    ) -> bool:
        """Set the revision above one that the wallet holds."""
        return await payments.lift_revision(connection, key, from_at_most, to)

    async def list_levels(
        self, connection: Connection, after: LevelKey | None, limit: int
    ) -> Sequence[CurrentLevel]:
        """Return all levels, a batch at a time."""
        return await payments.list_levels(connection, after or LevelKey(""), limit)


def payment_key(payment: Payment) -> LevelKey:
    """Return the key of a payment's level."""
    return LevelKey(payment.organization_id or "", payment.payment_id)


def _description(payment: Payment) -> str:
    if payment.subscription_id:
        return f"subscription {payment.subscription_id}"
    return "top-up"


@dataclass(frozen=True, slots=True)
class LevelUpdate:
    """An organization's level, and whether it is another one than before."""

    level: SubscriptionLevel
    has_changed: bool


@dataclass(frozen=True)
class Levels:
    """Tells both levels; what is marked in a transaction is woken after its commit."""

    subscription_announcer: Announcer[SubscriptionLevel]
    payment_announcer: Announcer[PaymentLevel]
    slack: timedelta

    async def update_subscription_level(
        self, connection: Connection, organization: LockedOrganization
    ) -> LevelUpdate:
        """Recompute the level of an organization as of now; write it down, and mark it as news."""
        told, organization_id = organization.level, organization.organization_id
        linked = await subscriptions.list_of_organization(connection, organization_id)
        grace_end_time = organization.operator_grace_end_time
        standing = organization_standing(
            linked, grace_end_time, self.slack, organization.now, told.revision if told else 0
        )
        if told is None and not linked and grace_end_time is None:
            return LevelUpdate(standing.level, has_changed=False)
        if standing.level != told:
            level = replace(standing.level, revision=standing.level.revision + 1)
            await organizations.save(connection, organization_id, replace(standing, level=level))
            current = CurrentLevel(LevelKey(organization_id), level.revision)
            await self.subscription_announcer.mark(connection, [current])
            return LevelUpdate(level, has_changed=True)
        if standing.reevaluate_time != organization.reevaluate_time:
            await organizations.save(connection, organization_id, standing)
        return LevelUpdate(standing.level, has_changed=False)

    async def mark_payment(self, connection: Connection, payment: Payment) -> None:
        """Mark a payment's level."""
        key = payment_key(payment)
        await self.payment_announcer.mark(connection, [CurrentLevel(key, payment.revision)])

    async def read_payment_deliveries(
        self, connection: Connection, seen: Sequence[Payment]
    ) -> list[Delivery]:
        """Return how far the wallet has taken each of these payments."""
        keys = [payment_key(each) for each in seen]
        taken = await self.payment_announcer.read_deliveries(connection, keys, WALLET)
        return [taken[key] for key in keys]

    def wake_subscription(self, organization_id: str) -> None:
        """Tell now what a committed transaction marked."""
        self.subscription_announcer.wake(LevelKey(organization_id))

    def wake_payment(self, organization_id: str, payment_id: str) -> None:
        """Tell now what a committed transaction marked."""
        self.payment_announcer.wake(LevelKey(organization_id, payment_id))


def subscription_not_found(organization_id: str) -> DomainError:
    """Return the error for an organization without a subscription."""
    return DomainError(
        ErrorReason.SUBSCRIPTION_NOT_FOUND,
        "no subscription is linked to the organization",
        organizationId=organization_id,
    )


def payment_not_found(payment_id: str) -> DomainError:
    """Return the error for a payment that the gateway has not seen."""
    return DomainError(
        ErrorReason.PAYMENT_NOT_FOUND, "the payment is not known", paymentId=payment_id
    )
