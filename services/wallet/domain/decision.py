"""The one decision: what is known under the lock and a command give an effect or a refusal."""

from datetime import datetime
from typing import NamedTuple, assert_never

from libs.errors import invalid_field
from libs.levels import SubscriptionLevel, is_news
from services.wallet.domain.commands import (
    AdjustBalance,
    ApplyPayment,
    CaptureHold,
    Command,
    Credit,
    Debit,
    LiftFreeze,
    ObserveSubscription,
    OpenWallet,
    PlaceHold,
    Reevaluate,
    Referenced,
    ReleaseHold,
    SetFreeze,
    SetThresholds,
)
from services.wallet.domain.draft import Cause, Draft, Effect
from services.wallet.domain.freezes import freeze_wallet, unfreeze_wallet
from services.wallet.domain.holds import (
    capture,
    expire,
    place,
    release,
    require_same_capture,
    require_same_hold,
)
from services.wallet.domain.payments import apply_payment
from services.wallet.domain.postings import adjust, credit, debit, require_same_posting
from services.wallet.domain.refusals import require_currency, require_open
from services.wallet.domain.values import Entry, Hold, Payment, Wallet


class Account(NamedTuple):
    """What the lock protects, as far as one command needs it."""

    wallet: Wallet
    earlier: tuple[Entry, ...] = ()
    payment: Payment | None = None
    hold: Hold | None = None
    due_holds: tuple[Hold, ...] = ()
    next_hold_expire_time: datetime | None = None


def decide(account: Account, command: Command, now: datetime) -> Effect:
    """Return the effect of a command, or raise the DomainError that refuses it."""
    wallet = account.wallet
    # The clock may have been set back; the ledger's time never goes back.
    now = max(now, wallet.update_time)
    match command:
        case Debit() | Credit() | AdjustBalance() | PlaceHold() | CaptureHold():
            return _once(account, command, now)
        case OpenWallet():
            return _open(wallet, command.currency_code, now)
        case ApplyPayment():
            return apply_payment(wallet, account.payment, command, now)
        case ObserveSubscription():
            return _observe(wallet, command.level, now)
        case Reevaluate():
            return expire(wallet, account.due_holds, account.next_hold_expire_time, now)
        case ReleaseHold() | SetFreeze() | LiftFreeze() | SetThresholds():
            require_open(wallet)
            return _set_state(account, command, now)
        case _:
            assert_never(command)


def _once(account: Account, command: Referenced, now: datetime) -> Effect:
    wallet = account.wallet
    require_open(wallet)
    # Before every other rule: a retried debit that emptied the wallet hears what it heard first.
    if account.earlier:
        _require_same(account, account.earlier[0], command)
        holds = (account.hold,) if account.hold else ()
        return Effect(wallet, account.earlier, holds=holds, replayed=True)
    match command:
        case Debit():
            return debit(wallet, command, now)
        case Credit():
            return credit(wallet, command, now)
        case AdjustBalance():
            return adjust(wallet, command, now)
        case PlaceHold():
            return place(wallet, command, now)
        case CaptureHold():
            return capture(wallet, account.hold, command, now)
        case _:
            assert_never(command)


def _require_same(account: Account, first: Entry, command: Referenced) -> None:
    match command:
        case Debit() | Credit() | AdjustBalance():
            require_same_posting(account.wallet, first, command)
        case PlaceHold():
            require_same_hold(account.wallet, first, account.hold, command)
        case CaptureHold():
            require_same_capture(first, command)
        case _:
            assert_never(command)


def _set_state(
    account: Account, command: ReleaseHold | SetFreeze | LiftFreeze | SetThresholds, now: datetime
) -> Effect:
    wallet = account.wallet
    match command:
        case ReleaseHold():
            return release(wallet, account.hold, command.hold_reference_id, now)
        case SetFreeze():
            return freeze_wallet(wallet, command, now)
        case LiftFreeze():
            return unfreeze_wallet(wallet, command, now)
        case SetThresholds():
            return _set_thresholds(wallet, command, now)
        case _:
            assert_never(command)


def _open(wallet: Wallet, currency_code: str, now: datetime) -> Effect:
    if wallet.currency_code is None:
        opened = wallet._replace(currency_code=currency_code, create_time=now, update_time=now)
        return Draft(opened, now, Cause()).settle(opened)
    require_currency(wallet, currency_code)
    return Effect(wallet)


def _observe(wallet: Wallet, level: SubscriptionLevel, now: datetime) -> Effect:
    if not is_news(wallet.subscription, level):
        return Effect(wallet)
    return Draft(wallet, now, Cause()).settle(wallet._replace(subscription=level))


def _set_thresholds(wallet: Wallet, command: SetThresholds, now: datetime) -> Effect:
    below = command.depleted_below_micros or wallet.depleted_below_micros
    resume = command.resume_above_micros
    if resume is None:
        # As long as nobody has set them apart, the second follows the first.
        together = wallet.resume_above_micros == wallet.depleted_below_micros
        resume = below if together else wallet.resume_above_micros
    if resume < below:
        raise invalid_field("resume_above_micros", "must be at least depleted_below_micros")
    after = wallet._replace(depleted_below_micros=below, resume_above_micros=resume)
    return Draft(wallet, now, Cause()).settle(after)
