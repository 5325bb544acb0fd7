"""The one decision: what is known under the lock and a command give an effect or a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from libs.errors import DomainError, ErrorReason, invalid_field
from libs.levels import SubscriptionLevel, is_news
from services.wallet.domain.commands import (
    ApplyPayment,
    Command,
    Credit,
    Debit,
    LiftFreeze,
    ObserveSubscription,
    OpenWallet,
    Posting,
    Reevaluate,
    SetFreeze,
)
from services.wallet.domain.values import (
    GATEWAY_ACTOR,
    Entry,
    EntryType,
    Freeze,
    FreezeReason,
    Payment,
    Wallet,
)

BALANCE_MICROS_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Account:
    """What the lock protects, as far as one command needs it."""

    wallet: Wallet
    earlier: tuple[Entry, ...] = ()
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command did: the wallet after it and what is to be appended."""

    wallet: Wallet
    entries: tuple[Entry, ...] = ()
    payment: Payment | None = None
    replayed: bool = False


def decide(account: Account, command: Command, now: datetime) -> Effect:
    """Return the effect of a command, or raise the DomainError that refuses it."""
    now = max(now, account.wallet.update_time)
    match command:
        case OpenWallet():
            return _open(account.wallet, command.currency_code, now)
        case Debit() | Credit():
            return _post(account, command, now)
        case ApplyPayment():
            return _apply_payment(account, command, now)
        case SetFreeze():
            return _set_freeze(account.wallet, command, now)
        case LiftFreeze():
            return _lift_freeze(account.wallet, command, now)
        case ObserveSubscription():
            return _observe(account.wallet, command.level, now)
        case Reevaluate():
            return _settle(account.wallet, account.wallet, (), now)
        case _:
            assert_never(command)


def _open(wallet: Wallet, currency_code: str, now: datetime) -> Effect:
    if wallet.currency_code is None:
        opened = replace(wallet, currency_code=currency_code, create_time=now, update_time=now)
        return _settle(wallet, opened, (), now)
    _require_currency(wallet, currency_code)
    return Effect(wallet)


def _post(account: Account, command: Posting, now: datetime) -> Effect:
    wallet = account.wallet
    _require_open(wallet)
    # Before every other rule: a retried debit that emptied the wallet hears what it heard first.
    if account.earlier:
        _require_same_content(wallet, account.earlier, command)
        return Effect(wallet, account.earlier, replayed=True)
    _require_currency(wallet, command.currency_code)
    if isinstance(command, Debit):
        _require_spendable(wallet.as_of(now), command.amount_micros)
    entry = _next_entry(
        wallet,
        command.entry_type,
        command.change_micros,
        now,
        reference_id=command.reference_id,
        reference_part=0,
        description=command.description,
        metadata=command.metadata,
    )
    return _settle(wallet, wallet, (entry,), now)


def _apply_payment(account: Account, command: ApplyPayment, now: datetime) -> Effect:
    wallet, applied = account.wallet, account.payment
    if wallet.currency_code is None and command.currency_code == command.default_currency_code:
        wallet = replace(
            wallet, currency_code=command.currency_code, create_time=now, update_time=now
        )
    _require_open(wallet)
    if applied is not None and command.revision < applied.revision:
        return Effect(wallet, payment=applied)
    _require_currency(wallet, command.currency_code)
    credited_before = 0 if applied is None else applied.credited_micros
    difference = command.credited_micros - credited_before
    if applied is not None and command.revision == applied.revision:
        if difference:
            raise _revision_conflict(applied)
        return Effect(wallet, payment=applied)
    if difference < 0:
        raise DomainError(
            ErrorReason.INVALID_STATE,
            "what was credited for a payment cannot become less",
            creditedMicros=credited_before,
            requestedMicros=command.credited_micros,
        )
    payment = Payment(command.payment_id, command.revision, command.credited_micros)
    entries: tuple[Entry, ...] = ()
    if difference:
        entries = (_payment_entry(wallet, command, difference, now),)
    return replace(_settle(wallet, wallet, entries, now), payment=payment)


def _payment_entry(wallet: Wallet, command: ApplyPayment, amount: int, now: datetime) -> Entry:
    return _next_entry(
        wallet,
        EntryType.PAYMENT,
        amount,
        now,
        payment_id=command.payment_id,
        actor=GATEWAY_ACTOR,
        description=command.description,
        metadata=command.metadata,
    )


def _set_freeze(wallet: Wallet, command: SetFreeze, now: datetime) -> Effect:
    _require_open(wallet)
    _require_callers_reason(command.reason)
    freeze = Freeze(command.reason, command.reference_id, command.note, command.actor, now)
    if freeze.identity in {each.identity for each in wallet.freezes}:
        return Effect(wallet)
    frozen = replace(wallet, freezes=(*wallet.freezes, freeze))
    entry = _freeze_entry(wallet, EntryType.FREEZE, freeze, now)
    return _settle(wallet, frozen, (entry,), now)


def _lift_freeze(wallet: Wallet, command: LiftFreeze, now: datetime) -> Effect:
    _require_open(wallet)
    _require_callers_reason(command.reason)
    lifted = Freeze(command.reason, command.reference_id, command.note, command.actor, now)
    kept = tuple(each for each in wallet.freezes if each.identity != lifted.identity)
    if len(kept) == len(wallet.freezes):
        return Effect(wallet)
    entry = _freeze_entry(wallet, EntryType.UNFREEZE, lifted, now)
    return _settle(wallet, replace(wallet, freezes=kept), (entry,), now)


def _observe(wallet: Wallet, level: SubscriptionLevel, now: datetime) -> Effect:
    if not is_news(wallet.subscription, level):
        return Effect(wallet)
    return _settle(wallet, replace(wallet, subscription=level), (), now)


def _settle(before: Wallet, after: Wallet, entries: tuple[Entry, ...], now: datetime) -> Effect:
    """Bring what is derived in line with the change: the subscription's freeze and the level."""
    if after.currency_code is None:
        return Effect(after)
    if entries:
        after = _advance(after, entries[-1])
    settled = after.as_of(now)
    if settled.freezes != after.freezes:
        entry = _derived_freeze_entry(after, settled, now)
        entries = (*entries, entry)
        settled = _advance(settled, entry)
    since = (settled.depleted_since or now) if settled.depleted else None
    settled = replace(settled, depleted_since=since)
    if settled.level != before.level or settled.level_revision == 0:
        settled = replace(settled, level_revision=settled.level_revision + 1)
    return Effect(settled, entries)


def _derived_freeze_entry(before: Wallet, after: Wallet, now: datetime) -> Entry:
    freeze = after.derived_freeze(now)
    frozen = len(after.freezes) > len(before.freezes)
    return _freeze_entry(before, EntryType.FREEZE if frozen else EntryType.UNFREEZE, freeze, now)


def _next_entry(
    wallet: Wallet,
    type_: EntryType,
    amount_micros: int,
    now: datetime,
    *,
    reference_id: str | None = None,
    reference_part: int | None = None,
    payment_id: str | None = None,
    actor: str = "",
    description: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Entry:
    balance_after_micros = wallet.balance_micros + amount_micros
    if balance_after_micros > BALANCE_MICROS_MAX:
        raise DomainError(
            ErrorReason.BALANCE_LIMIT_EXCEEDED,
            "the balance would pass the largest amount that can be kept",
            balanceMicros=wallet.balance_micros,
            requestedMicros=amount_micros,
        )
    return Entry(
        organization_id=wallet.organization_id,
        sequence=wallet.entry_count + 1,
        type=type_,
        amount_micros=amount_micros,
        balance_after_micros=balance_after_micros,
        create_time=now,
        reference_id=reference_id,
        reference_part=reference_part,
        payment_id=payment_id,
        actor=actor,
        description=description,
        metadata=metadata or {},
    )


def _freeze_entry(wallet: Wallet, type_: EntryType, freeze: Freeze, now: datetime) -> Entry:
    entry = _next_entry(wallet, type_, 0, now, actor=freeze.actor, description=freeze.note)
    return replace(entry, freeze_reason=freeze.reason, freeze_reference_id=freeze.reference_id)


def _advance(wallet: Wallet, entry: Entry) -> Wallet:
    return replace(
        wallet,
        balance_micros=entry.balance_after_micros,
        entry_count=entry.sequence,
        update_time=entry.create_time,
    )


def _require_open(wallet: Wallet) -> None:
    if wallet.currency_code is None:
        raise wallet_not_found(wallet.organization_id)


def _require_currency(wallet: Wallet, currency_code: str) -> None:
    if currency_code != wallet.currency_code:
        raise DomainError(
            ErrorReason.CURRENCY_MISMATCH,
            f"the wallet stands in {wallet.currency_code}",
            walletCurrencyCode=wallet.currency_code or "",
            requestedCurrencyCode=currency_code,
        )


def _require_spendable(wallet: Wallet, amount_micros: int) -> None:
    if wallet.freezes:
        reasons = ",".join(wallet.freeze_reasons)
        raise DomainError(
            ErrorReason.WALLET_FROZEN, f"the wallet is frozen: {reasons}", freezeReasons=reasons
        )
    if amount_micros > wallet.balance_micros:
        raise DomainError(
            ErrorReason.INSUFFICIENT_FUNDS,
            "the wallet does not hold the amount",
            availableMicros=wallet.balance_micros,
            requestedMicros=amount_micros,
        )


def _require_callers_reason(reason: FreezeReason) -> None:
    if reason is FreezeReason.SUBSCRIPTION_INACTIVE:
        raise invalid_field(
            "reason", "is derived from the subscription; no caller sets or lifts it"
        )


def _require_same_content(wallet: Wallet, earlier: tuple[Entry, ...], command: Posting) -> None:
    first = earlier[0]
    fields = {
        "type": (first.type, command.entry_type),
        "amount_micros": (sum(each.amount_micros for each in earlier), command.change_micros),
        "currency_code": (wallet.currency_code, command.currency_code),
        "description": (first.description, command.description),
        "metadata": (dict(first.metadata), dict(command.metadata)),
    }
    differing = [name for name, (before, now) in fields.items() if before != now]
    if differing:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            "the reference was used with other content",
            referenceId=command.reference_id,
            differingFields=",".join(differing),
        )


def _revision_conflict(applied: Payment) -> DomainError:
    return DomainError(
        ErrorReason.REFERENCE_CONFLICT,
        f"revision {applied.revision} of the payment is held with other content",
        heldRevision=applied.revision,
        differingFields="credited_micros",
    )


def wallet_not_found(organization_id: str) -> DomainError:
    """Return the error for an organization without an opened wallet."""
    return DomainError(
        ErrorReason.WALLET_NOT_FOUND,
        "the organization has no wallet",
        organizationId=organization_id,
    )
