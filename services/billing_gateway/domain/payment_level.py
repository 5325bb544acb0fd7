"""How a payment stands: one pure function of its row and of what happened to it since."""

from collections.abc import Iterable, Sequence

from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    Payment,
    PaymentProgress,
    PaymentStanding,
    PaymentState,
)


def proportion(credited_micros: int, part_micros: int, paid_micros: int) -> int:
    """Return the share of the credit that a part of what was paid has, rounded up."""
    return -(-credited_micros * part_micros // paid_micros)


def provider_reversed_micros(payment: Payment, components: Sequence[Component]) -> int:
    """Return how much of what was paid is gone again, at most all of it."""
    paid = payment.paid_micros or 0
    if payment.has_failed:
        return paid
    taken = [each for each in components if _is_reversed(each) or _has_taken(each)]
    return min(paid, _refunded(payment, components) + _sum(payment, taken))


def standing_of(payment: Payment, components: Sequence[Component]) -> PaymentStanding:
    """Return what of the payment's credit is gone or may go; nothing before it is credited."""
    credited, paid = payment.credited_micros, payment.paid_micros
    if credited is None or paid is None:
        return PaymentStanding()
    gone = provider_reversed_micros(payment, components)
    reversed_ = proportion(credited, gone, paid)
    threatened = _sum(payment, [each for each in components if _threatens(each)])
    at_risk = proportion(credited, min(paid, threatened), paid)
    return PaymentStanding(
        reversed_micros=reversed_,
        at_risk_micros=min(at_risk, credited - reversed_),
        blocks_spending=gone < paid and _blocks(components),
    )


def state_of(payment: Payment, components: Sequence[Component]) -> PaymentState:
    """Return where the payment stands."""
    if payment.paid_micros is None:
        told = payment.progress
        failed = told is not None and told.progress is PaymentProgress.FAILED
        return PaymentState.FAILED if payment.has_failed or failed else PaymentState.PENDING
    if payment.credited_micros is None:
        return PaymentState.PARKED
    gone = provider_reversed_micros(payment, components)
    if gone == payment.paid_micros:
        return PaymentState.REVERSED
    return PaymentState.PARTIALLY_REVERSED if gone else PaymentState.PAID


def _refunded(payment: Payment, components: Sequence[Component]) -> int:
    """The running total counts refunds that are under way, and those that failed since."""
    refunds = [each for each in components if each.kind is ComponentKind.REFUND]
    succeeded = [each for each in refunds if each.state is ComponentState.SUCCEEDED]
    counted = [each for each in refunds if _is_in_total(payment, each)]
    in_all = payment.refunded_in_all_micros - _sum(payment, counted)
    return max(_sum(payment, succeeded), in_all)


def _is_in_total(payment: Payment, refund: Component) -> bool:
    """Tell whether the running total has a refund in it that has taken nothing."""
    total_time, failed_time = payment.refunded_in_all_time, refund.provider_time
    if refund.state is not ComponentState.FAILED or total_time is None or failed_time is None:
        return refund.state is not ComponentState.SUCCEEDED
    return failed_time >= total_time


def _sum(payment: Payment, components: Iterable[Component]) -> int:
    return sum(_amount(payment, each) for each in components)


def _amount(payment: Payment, component: Component) -> int:
    """What is told in another currency cannot be counted against the payment: it is all of it."""
    if component.currency_code != payment.currency_code:
        return payment.paid_micros or 0
    return component.amount_micros


def _is_open_dispute(component: Component) -> bool:
    is_dispute = component.kind is ComponentKind.DISPUTE
    return is_dispute and component.state is ComponentState.OPEN


def _is_reversed(component: Component) -> bool:
    is_reversal = component.kind is ComponentKind.REVERSAL
    return is_reversal and component.state is ComponentState.SUCCEEDED


def _has_taken(component: Component) -> bool:
    if component.kind is ComponentKind.DISPUTE and component.state is ComponentState.LOST:
        return True
    is_out = component.withdrawal_count > component.reinstatement_count
    return _is_open_dispute(component) and is_out


def _threatens(component: Component) -> bool:
    """An open dispute whose money was never moved; one that was put back is as good as won."""
    moved = component.withdrawal_count or component.reinstatement_count
    return _is_open_dispute(component) and not moved


def _blocks(components: Sequence[Component]) -> bool:
    """A warning is spoken for once a dispute of the payment has ended."""
    disputes = [each for each in components if each.kind is ComponentKind.DISPUTE]
    if any(each.blocks_spending and _is_open_dispute(each) for each in disputes):
        return True
    if any(each.state is not ComponentState.OPEN for each in disputes):
        return False
    return any(
        each.blocks_spending
        for each in components
        if each.kind is ComponentKind.WARNING and each.state is ComponentState.OPEN
    )
