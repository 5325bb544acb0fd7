"""Whose something is: what is ours first, then what is claimed, then what was learnt by the way."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    Observation,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionClaimed,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)

NOBODY = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Named:
    """The objects that say whose an observation is, and what it claims itself."""

    subscription_id: str = ""
    customer_id: str = ""
    checkout_id: str = ""
    claim: Claim | None = None


def named_by(observation: Observation) -> Named:
    """Return what an observation names; a part of a payment names nothing but the payment."""
    match observation:
        case SubscriptionObserved() | SubscriptionPaid() | PaymentProgressed():
            return Named(
                subscription_id=observation.subscription_id,
                customer_id=observation.customer_id,
                claim=observation.claim,
            )
        case SubscriptionPaymentFailed():
            # It claims nothing: by its customer it could go to another organization than what
            # tells of the same subscription and does.
            return Named(observation.subscription_id)
        case SubscriptionClaimed() | PaymentPaid():
            return Named(
                observation.subscription_id,
                observation.customer_id,
                observation.checkout_id,
                observation.claim,
            )
        case CheckoutObserved():
            return Named(checkout_id=observation.checkout_id, claim=observation.claim)
        case _:
            return Named()


def name_all(observations: Sequence[Observation]) -> list[Named]:
    """Return what each observation names. What one event tells of a subscription is one word."""
    alone = [named_by(each) for each in observations]
    together: dict[str, Named] = {}
    for named in alone:
        known = together.get(named.subscription_id, named)
        together[named.subscription_id] = Named(
            named.subscription_id,
            known.customer_id or named.customer_id,
            known.checkout_id or named.checkout_id,
            known.claim or named.claim,
        )
    return [together[each.subscription_id] if each.subscription_id else each for each in alone]


@dataclass(frozen=True, slots=True)
class Owners:
    """Who is known, or said, to own the objects that an observation speaks of."""

    # What Tollgate made at the provider: by our row, or by the proof that we wrote with it.
    of_checkout: str | None = None
    proven: str = ""
    of_subscription: str | None = None
    of_linked_customer: frozenset[str] = NOBODY
    claimed: str = ""
    of_learnt_customer: frozenset[str] = NOBODY

    @property
    def everybody(self) -> frozenset[str]:
        """Whom any of our rows names."""
        ours = {each for each in (self.of_checkout, self.of_subscription) if each}
        return self.of_linked_customer | self.of_learnt_customer | ours


@dataclass(frozen=True, slots=True)
class Unowned:
    """Nobody can be named; it waits."""

    problem: str


def find_owner(owners: Owners, *, trust_claims: bool) -> str | Unowned:
    """Return the organization that an observation belongs to.

    A customer that was only learnt from events comes last: it must not outrank what the event
    itself says, or the order of events would decide whose money it is.
    """
    ours = {each for each in (owners.of_checkout, owners.proven, owners.of_subscription) if each}
    claimed = {owners.claimed} if trust_claims and owners.claimed else NOBODY
    for candidates in (ours, owners.of_linked_customer, claimed, owners.of_learnt_customer):
        if len(candidates) > 1:
            listed = ", ".join(sorted(candidates))
            return Unowned(f"it is said to be of several organizations: {listed}")
        if candidates:
            return next(iter(candidates))
    ignored = f"; that it is {owners.claimed}'s is not trusted" if owners.claimed else ""
    return Unowned(f"no organization is linked to its subscription or customer{ignored}")
