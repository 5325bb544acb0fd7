"""What a payment credits: decided once, when the payment is first known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.observations import PaymentObserved
from services.billing_gateway.domain.values import Payment


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


def credited_micros(
    observed: PaymentObserved, plans: Mapping[str, PlanCredit], *, allowance_taken: bool
) -> int:
    """Return what the payment credits: for a top-up or a plan not listed, what was paid."""
    plan = plans.get(observed.plan_id, CreditAmountPaid())
    match plan:
        case CreditAmountPaid():
            return observed.paid_micros
        case CreditNothing():
            return 0
        case CreditAllowance():
            return _allowance_micros(observed, plan, allowance_taken=allowance_taken)
        case _:
            assert_never(plan)


def _allowance_micros(
    observed: PaymentObserved, plan: CreditAllowance, *, allowance_taken: bool
) -> int:
    if observed.currency_code != plan.currency_code:
        raise DomainError(
            ErrorReason.CURRENCY_MISMATCH,
            f"plan {observed.plan_id} credits {plan.currency_code}, "
            f"the payment is in {observed.currency_code}",
        )
    renews = observed.renewed_period_start_time is not None
    return plan.amount_micros if renews and not allowance_taken else 0


def takes_allowance(observed: PaymentObserved, plans: Mapping[str, PlanCredit]) -> bool:
    """Tell whether the payment asks for its period's allowance."""
    is_allowance = isinstance(plans.get(observed.plan_id), CreditAllowance)
    return is_allowance and observed.renewed_period_start_time is not None


def require_same_payment(known: Payment, observed: PaymentObserved) -> None:
    """Refuse a second story about the same payment; it is shown to people, not guessed at."""
    told = (observed.currency_code, observed.paid_micros, observed.subscription_id)
    if told != (known.currency_code, known.paid_micros, known.subscription_id):
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            f"payment {known.payment_id} is known with {known.paid_micros} "
            f"{known.currency_code} micros",
        )
