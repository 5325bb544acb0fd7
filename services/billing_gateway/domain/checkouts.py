"""Checkouts: whether a reference asks for the same, how far one has come, what it needs next."""

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    PaymentPaid,
    SubscriptionClaimed,
)
from services.billing_gateway.domain.values import (
    Checkout,
    CheckoutContent,
    CheckoutKind,
    CheckoutState,
    Provider,
)

COMPARED_FIELDS = (
    "provider",
    "amount_micros",
    "currency_code",
    "plan_id",
    "return_url",
    "cancel_url",
)

# Further on in this order is what is told last, whichever way it comes.
PROGRESS = (
    CheckoutState.REFUSED,
    CheckoutState.WANTED,
    CheckoutState.OPEN,
    CheckoutState.APPROVED,
    CheckoutState.PENDING,
    CheckoutState.FAILED,
    CheckoutState.COMPLETED,
)

LOOK_INTERVAL_MAX = timedelta(hours=6)
LOOKED_AT_FOR = timedelta(days=7)
# A bank transfer may take longer than a customer.
PENDING_LOOKED_AT_FOR = timedelta(days=30)


def differing_fields(known: CheckoutContent, asked: CheckoutContent) -> tuple[str, ...]:
    """Return the fields of a request that ask for something else than the reference did before."""
    return tuple(name for name in COMPARED_FIELDS if getattr(known, name) != getattr(asked, name))


def advance(
    known: Checkout, told: CheckoutObserved | PaymentPaid | SubscriptionClaimed
) -> Checkout:
    """Return the checkout after what was told of it; neither order nor repetition matters."""
    match told:
        case CheckoutObserved():
            return replace(known, state=_later(known.state, told.state))
        case PaymentPaid():
            return replace(
                known,
                state=CheckoutState.COMPLETED,
                payment_object_id=known.payment_object_id or told.objects[0].object_id,
            )
        case SubscriptionClaimed():
            subscription_id = known.subscription_id or told.subscription_id
            return replace(known, subscription_id=subscription_id)


def _later(known: CheckoutState, told: CheckoutState) -> CheckoutState:
    return max(known, told, key=PROGRESS.index)


def restore(provider: Provider, told: CheckoutObserved, claim: Claim) -> Checkout | None:
    """Return the checkout of a top-up that only the provider still knows; None if it is none."""
    if told.amount_micros is None or told.amount_micros <= 0:
        return None
    return Checkout(
        organization_id=claim.organization_id,
        reference_id=f"restored:{claim.intent_id}",
        intent_id=claim.intent_id,
        content=CheckoutContent(
            kind=CheckoutKind.TOP_UP,
            provider=provider,
            amount_micros=told.amount_micros,
            currency_code=told.currency_code,
            plan_id="",
            return_url="",
            cancel_url="",
        ),
        state=CheckoutState.OPEN,
        checkout_id=told.checkout_id,
    )


class Errand(StrEnum):
    """What the provider is to be asked for a checkout."""

    CAPTURE = "CAPTURE"
    LOOK = "LOOK"


def next_errand(checkout: Checkout) -> Errand | None:
    """Return what the provider is to be asked next; None if nothing is left to be known."""
    match checkout.state:
        case CheckoutState.WANTED | CheckoutState.REFUSED | CheckoutState.FAILED:
            return None
        case CheckoutState.APPROVED if checkout.content.kind is CheckoutKind.TOP_UP:
            return Errand.CAPTURE
        case CheckoutState.COMPLETED if checkout.payment_object_id or checkout.subscription_id:
            return None
        case _:
            # Completed without its money among them: the word of that may have been lost.
            return Errand.LOOK


def next_look_in(state: CheckoutState, age: timedelta, first: timedelta) -> timedelta | None:
    """Return when to look again: after as long as it has been there, within bounds."""
    pending = state is CheckoutState.PENDING
    if age > (PENDING_LOOKED_AT_FOR if pending else LOOKED_AT_FOR):
        return None
    return max(first, min(age, LOOK_INTERVAL_MAX))
