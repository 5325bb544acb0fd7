"""What a payment credits: decided once, when it is paid and its owner is known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.observations import PaymentPaid


@dataclass(frozen=True, slots=True)
class CreditAmountPaid:
    """The plan credits what was paid."""


@dataclass(frozen=True, slots=True)
class CreditAllowance:
    """The plan credits a fixed amount, once for each subscription and period that is renewed."""

    amount_micros: int
    currency_code: str


@dataclass(frozen=True, slots=True)
class CreditNothing:
    """The plan credits nothing."""


PlanCredit: TypeAlias = CreditAmountPaid | CreditAllowance | CreditNothing


@dataclass(frozen=True, slots=True)
class PlanTold:
    """The plan that a subscription had at a time, as the provider told it."""

    time: datetime
    plan_id: str


def plan_at(told: Iterable[PlanTold], linked_plan_id: str, time: datetime) -> str:
    """Return the plan that a subscription had then: the last told by then, else the next."""
    by_time = sorted(told, key=lambda each: (each.time, each.plan_id))
    before = [each.plan_id for each in by_time if each.time <= time]
    after = [each.plan_id for each in by_time if each.time > time]
    return next(iter((*before[-1:], *after)), linked_plan_id)


def needs_plan(paid: PaymentPaid) -> bool:
    """Tell whether only the subscription can tell the plan that was paid for."""
    return bool(paid.subscription_id) and not any(line.plan_id for line in paid.lines)


@dataclass(frozen=True, slots=True)
class Credit:
    """What a payment credits, by which plan, and the period whose allowance that takes."""

    plan_id: str
    micros: int
    allowance_period_start_time: datetime | None = None


def decide_credit(
    observed: PaymentPaid, plans: Mapping[str, PlanCredit], subscription_plan_id: str
) -> Credit:
    """Return what the payment credits. A top-up and a plan that is not listed credit what was paid.

    Of an invoice's plans a listed one decides, whichever line it stands on. Where the lines name no
    plan the subscription's does; nothing is credited by guessing.
    """
    if not observed.subscription_id:
        return Credit("", observed.paid_micros)
    plan_ids = _plans_paid_for(observed) or [subscription_plan_id]
    if plans and plan_ids == [""]:
        raise _undecided("its plan is not known")
    listed = [plan_id for plan_id in plan_ids if plan_id in plans]
    first, *others = [
        _credit_of(observed, plan_id, plans.get(plan_id, CreditAmountPaid()))
        for plan_id in listed or plan_ids[:1]
    ]
    if any(replace(each, plan_id=first.plan_id) != first for each in others):
        raise _undecided(f"its plans credit differently: {', '.join(listed)}")
    return first


def _plans_paid_for(observed: PaymentPaid) -> list[str]:
    """Return the plans that are renewed, if any is: others were left in the period before."""
    renewed = {line.plan_id for line in observed.lines if line.renewed_period_start_time}
    return sorted((renewed or {line.plan_id for line in observed.lines}) - {""})


def _credit_of(observed: PaymentPaid, plan_id: str, plan: PlanCredit) -> Credit:
    match plan:
        case CreditAmountPaid():
            return Credit(plan_id, observed.paid_micros)
        case CreditNothing():
            return Credit(plan_id, 0)
        case CreditAllowance():
            return _allowance(observed, plan_id, plan)
        case _:
            assert_never(plan)


def _allowance(observed: PaymentPaid, plan_id: str, plan: CreditAllowance) -> Credit:
    if observed.currency_code != plan.currency_code:
        raise DomainError(
            ErrorReason.CURRENCY_MISMATCH,
            f"plan {plan_id} credits {plan.currency_code}, "
            f"the payment is in {observed.currency_code}",
        )
    starts = [
        line.renewed_period_start_time
        for line in observed.lines
        if line.plan_id in (plan_id, "") and line.renewed_period_start_time is not None
    ]
    if not starts:
        return Credit(plan_id, 0)
    return Credit(plan_id, plan.amount_micros, allowance_period_start_time=min(starts))


def _undecided(problem: str) -> DomainError:
    return DomainError(ErrorReason.INVALID_STATE, f"what the payment credits is unclear: {problem}")
