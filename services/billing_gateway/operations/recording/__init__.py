"""The one way from observations to rows and levels.

The locks of every transaction are taken in one order: the objects that are spoken of, the rows of
payments, the organizations, all else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from libs.database import Connection
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.observations import CheckoutObserved, Observation
from services.billing_gateway.domain.ownership import Named, Owners, Unowned, find_owner, name_all
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.operations.recording.parts import (
    CheckoutRecording,
    CheckoutTold,
    Flows,
    Organizations,
    PartRecorded,
    PaymentRecording,
    PaymentTold,
    Told,
    Wakes,
)
from services.billing_gateway.operations.recording.subscriptions import (
    SubscriptionRecording,
    SubscriptionWord,
)
from services.billing_gateway.operations.recording_port import (
    ObjectsBusyError,
    Recorded,
    Source,
)
from services.billing_gateway.storage import changes, inbox, objects, organizations, owners


@dataclass(frozen=True)
class OwnershipRules:
    """Whom the settings let say whose an object is."""

    trust_claims: bool
    claim_keys: ClaimKeys


class Recorder:
    """Locks, finds out whose everything is, and lets each part record its own."""

    def __init__(
        self,
        *,
        levels: Levels,
        ownership: OwnershipRules,
        subscriptions: SubscriptionRecording,
        payments: PaymentRecording,
        checkouts: CheckoutRecording,
        wakes: Wakes,
    ) -> None:
        self._levels = levels
        self._ownership = ownership
        self._subscriptions = subscriptions
        self._payments = payments
        self._checkouts = checkouts
        self._wakes = wakes

    async def record(
        self,
        connection: Connection,
        source: Source,
        observations: Sequence[Observation],
        *,
        wait: bool = False,
    ) -> Recorded:
        """Record observations in the caller's transaction; idempotent, in any order."""
        await _lock_objects(connection, source.provider, observations, wait=wait)
        flows = await self._payments.lock(
            connection,
            source,
            [each for each in observations if isinstance(each, PAYMENT)],
            wait=wait,
        )
        told = await self._find_owners(connection, source.provider, observations, flows)
        locked = await _lock_organizations(connection, told, wait=wait)
        return await self._record_parts(connection, source, told, flows, locked)

    def wake(self, recorded: Recorded) -> None:
        """Tell and start what a committed transaction has marked."""
        for organization_id in recorded.subscription_levels:
            self._levels.wake_subscription(organization_id)
        for key in recorded.payment_levels:
            self._levels.wake_payment(key.organization_id, key.key)
        if recorded.looks_due:
            self._wakes.looks()
        if recorded.errands_due:
            self._wakes.errands()
        if recorded.unparked:
            self._wakes.settling()

    async def _find_owners(
        self,
        connection: Connection,
        provider: Provider,
        observations: Sequence[Observation],
        flows: Flows,
    ) -> list[Told]:
        named = name_all(observations)
        known = [Owners()] * len(named)
        if any(each != Named() for each in named):
            known = await owners.list_owners(connection, provider, named)
        told = []
        for observation, name, of_it in zip(observations, named, known, strict=True):
            owner = self._find_owner(provider, observation, name, of_it)
            if isinstance(observation, PAYMENT):
                owner = flows.owner_of(observation, owner)
            told.append(Told(observation, owner))
        return told

    def _find_owner(
        self, provider: Provider, observation: Observation, named: Named, known: Owners
    ) -> str | Unowned:
        claim = named.claim
        if claim is not None:
            proven = self._ownership.claim_keys.is_proven(provider, claim)
            known = replace(
                known,
                proven=claim.organization_id if proven else "",
                # That a checkout is ours nobody but we ourselves can say.
                claimed="" if isinstance(observation, CheckoutObserved) else claim.organization_id,
            )
        return find_owner(known, trust_claims=self._ownership.trust_claims)

    async def _record_parts(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        flows: Flows,
        locked: Organizations,
    ) -> Recorded:
        # Subscriptions first: a payment's plan is what they tell of it.
        of_subscriptions = _told_of(told, SUBSCRIPTION)
        parts = (
            await self._subscriptions.record(connection, source, of_subscriptions, locked),
            await flows.record(connection, source, _told_of(told, PAYMENT), locked),
            await self._checkouts.record(connection, source, _told_of(told, CHECKOUT), locked),
        )
        touched = {each.owner for each in of_subscriptions if isinstance(each.owner, str)}
        levels = await self._update_levels(connection, parts[0], touched, locked)
        news_of = frozenset[str]().union(*(part.news_of for part in parts))
        unparked = bool(news_of) and await inbox.unpark(connection, source.provider, news_of)
        return Recorded(
            organization_ids=tuple(locked),
            problem="; ".join(dict.fromkeys(each for part in parts for each in part.problems)),
            subscription_levels=levels,
            payment_levels=tuple(key for part in parts for key in part.payment_levels),
            looks_due=any(part.looks_due for part in parts),
            errands_due=any(part.errands_due for part in parts),
            unparked=unparked,
        )

    async def _update_levels(
        self,
        connection: Connection,
        recorded: PartRecorded,
        touched: set[str],
        locked: Organizations,
    ) -> tuple[str, ...]:
        """Recompute the levels of organizations, write their history; return what changed."""
        changed = []
        lines = []
        for organization_id in sorted(touched):
            update = await self._levels.update_subscription_level(
                connection, locked[organization_id]
            )
            lines += [
                replace(
                    change,
                    good_standing=update.level.good_standing,
                    good_until=update.level.good_until,
                )
                for change in recorded.changes
                if change.organization_id == organization_id
            ]
            if update.has_changed:
                changed.append(organization_id)
        if lines:
            await changes.append(connection, lines)
        return tuple(changed)


SUBSCRIPTION = get_args(SubscriptionWord)
PAYMENT = get_args(PaymentTold)
CHECKOUT = get_args(CheckoutTold)


def _told_of(told: Sequence[Told], kinds: tuple[type, ...]) -> list[Told]:
    return [each for each in told if isinstance(each.observation, kinds)]


async def _lock_objects(
    connection: Connection,
    provider: Provider,
    observations: Sequence[Observation],
    *,
    wait: bool,
) -> None:
    object_ids = {each for observation in observations for each in observation.object_ids}
    if wait:
        await objects.lock(connection, provider, object_ids)
    elif not await objects.try_lock(connection, provider, object_ids):
        raise ObjectsBusyError


async def _lock_organizations(
    connection: Connection, told: Sequence[Told], *, wait: bool
) -> Organizations:
    locked = {}
    for organization_id in sorted({each.owner for each in told if isinstance(each.owner, str)}):
        lock = organizations.lock if wait else organizations.try_lock
        organization = await lock(connection, organization_id)
        if organization is None:
            raise ObjectsBusyError
        locked[organization_id] = organization
    return locked
