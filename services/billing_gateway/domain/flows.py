"""Flows of money: what names one, what is told of one, and rows that prove to be one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.observations import (
    PaymentPaid,
    PaymentProgressed,
    RefundedInAll,
)
from services.billing_gateway.domain.values import (
    Payment,
    PaymentObject,
    PaymentProgress,
    ProgressTold,
    Provider,
)


@dataclass(frozen=True, slots=True)
class Merge:
    """The row that stays for a flow of money, and those that go into it."""

    survivor: Payment
    absorbed: tuple[Payment, ...]


def flow_name(provider: Provider, objects: Iterable[PaymentObject]) -> str:
    """Return the name of a flow: that of the object which comes first among all of its own."""
    first = min(objects, key=lambda each: (each.name_rank, each.object_id))
    return f"{provider.lower()}:{first.object_id}"


def object_of(provider: Provider, payment_id: str) -> str | None:
    """Return the object that a name is of, with or without its provider; None if it is no name."""
    prefix, colon, object_id = payment_id.partition(":")
    if not colon:
        return payment_id or None
    return object_id if prefix == provider.lower() and object_id else None


def plan_merge(rows: Sequence[Payment]) -> Merge:
    """Return which of several rows of one flow stays: the one that the wallet was told of.

    What was credited twice, or is two organizations', no rule here may mend: people must see it.
    """
    owners = {row.organization_id for row in rows if row.organization_id is not None}
    if len(owners) > 1:
        raise _two_stories(rows, f"payments of {', '.join(sorted(owners))}")
    if sum(row.credited_micros is not None for row in rows) > 1:
        raise _two_stories(rows, "credited payments")
    survivor, *absorbed = sorted(rows, key=_reason_to_stay)
    return Merge(survivor, tuple(absorbed))


def _reason_to_stay(row: Payment) -> tuple[bool, bool, bool, str]:
    is_owned = row.organization_id is not None
    return row.credited_micros is None, row.paid_micros is None, not is_owned, row.payment_id


def _two_stories(rows: Sequence[Payment], what: str) -> DomainError:
    names = ", ".join(sorted(row.payment_id for row in rows))
    return DomainError(ErrorReason.INVALID_STATE, f"{what} are one flow of money: {names}")


def absorb(survivor: Payment, absorbed: Payment) -> Payment:
    """Return the survivor with what was told of both."""
    both = replace(
        survivor,
        organization_id=survivor.organization_id or absorbed.organization_id,
        event_ids=_joined(survivor.event_ids, absorbed.event_ids),
        has_failed=survivor.has_failed or absorbed.has_failed,
        progress=_later(survivor.progress, absorbed.progress),
        create_time=_earlier(survivor.create_time, absorbed.create_time),
    )
    if absorbed.paid_micros is not None:
        # Paid comes first in the order of staying, so both are.
        _require_same(survivor, absorbed)
    both = _with_names(both, absorbed.subscription_id, absorbed.customer_id)
    return _with_total(both, _total_of(absorbed))


def tell_paid(payment: Payment, told: PaymentPaid) -> Payment:
    """Return the payment as paid, once; what a second story says else is refused."""
    paid = replace(
        payment,
        subscription_id=told.subscription_id,
        customer_id=max(payment.customer_id, told.customer_id),
        currency_code=told.currency_code,
        paid_micros=told.paid_micros,
        paid_time=told.paid_time,
    )
    if payment.paid_micros is not None:
        _require_same(payment, paid)
        return replace(payment, customer_id=paid.customer_id)
    return _with_total(paid, _total_of(payment))


def tell_progress(payment: Payment, told: PaymentProgressed) -> Payment:
    """Return the payment as far as it has come; once it is paid only failing for good counts."""
    progress = ProgressTold(told.progress, told.provider_time, told.rank)
    heard = replace(
        payment,
        progress=_later(payment.progress, progress),
        has_failed=payment.has_failed or told.for_good,
    )
    return _with_names(heard, told.subscription_id, told.customer_id)


def tell_refunded_in_all(payment: Payment, told: RefundedInAll) -> Payment:
    """Return the payment with the provider's running total; the last one stands."""
    total = _Total(told.provider_time, told.amount_micros, told.currency_code)
    return _with_total(payment, total)


class _Total(NamedTuple):
    """A running total; of one instant the larger one comes later."""

    time: datetime
    amount_micros: int
    currency_code: str


def _total_of(payment: Payment) -> _Total | None:
    if payment.refunded_in_all_time is None:
        return None
    return _Total(
        payment.refunded_in_all_time, payment.refunded_in_all_micros, payment.currency_code
    )


def _with_total(payment: Payment, told: _Total | None) -> Payment:
    """A total in another currency than what was paid counts for all of it."""
    if told is None:
        return payment
    if payment.paid_micros is not None and told.currency_code != payment.currency_code:
        told = told._replace(amount_micros=payment.paid_micros, currency_code=payment.currency_code)
    last = max(told, _total_of(payment) or told)
    return replace(
        payment,
        refunded_in_all_time=last.time,
        refunded_in_all_micros=last.amount_micros,
        currency_code=last.currency_code,
    )


def _with_names(payment: Payment, subscription_id: str, customer_id: str) -> Payment:
    """What was paid says by itself for which subscription."""
    named = replace(payment, customer_id=max(payment.customer_id, customer_id))
    if payment.paid_micros is not None:
        return named
    return replace(named, subscription_id=max(payment.subscription_id, subscription_id))


def _later(known: ProgressTold | None, told: ProgressTold | None) -> ProgressTold | None:
    candidates = [each for each in (known, told) if each is not None]
    return max(candidates, key=_progress_key, default=None)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _progress_key(told: ProgressTold) -> tuple[object, ...]:
    return told.provider_time, told.rank, told.progress is PaymentProgress.FAILED


def _joined(known: Sequence[str], told: Sequence[str]) -> tuple[str, ...]:
    return (*known, *(each for each in told if each not in known))


def _require_same(known: Payment, told: Payment) -> None:
    """Refuse a second story about the same payment; it is shown to people, not guessed at."""
    if _story(known) != _story(told):
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            f"payment {known.payment_id} is known with {known.paid_micros} {known.currency_code} "
            f"micros of subscription {known.subscription_id or 'none'}",
        )


def _story(payment: Payment) -> tuple[str, int | None, str]:
    return payment.currency_code, payment.paid_micros, payment.subscription_id
