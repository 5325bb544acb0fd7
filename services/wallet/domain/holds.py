"""Holds: money set aside for a message, captured, released, or given back by time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.wallet.domain.commands import CaptureHold, PlaceHold
from services.wallet.domain.draft import MICROS_MAX, Cause, Draft, Effect
from services.wallet.domain.refusals import (
    balance_limit_exceeded,
    capture_exceeds_hold,
    hold_not_found,
    hold_not_open,
    require_currency,
    require_same,
    require_spendable,
)
from services.wallet.domain.values import (
    Entry,
    EntryType,
    Hold,
    HoldState,
    Metadata,
    Wallet,
)


def place(wallet: Wallet, command: PlaceHold, now: datetime) -> Effect:
    """Set aside what is available."""
    require_currency(wallet, command.currency_code)
    require_spendable(wallet.as_of(now), command.amount_micros)
    hold = Hold(
        organization_id=wallet.organization_id,
        reference_id=command.reference_id,
        amount_micros=command.amount_micros,
        remaining_micros=command.amount_micros,
        captured_micros=0,
        state=HoldState.OPEN,
        expire_time=now + command.ttl,
        description=command.description,
        metadata=command.metadata,
        create_time=now,
        update_time=now,
    )
    cause = Cause(
        reference_id=command.reference_id,
        hold_reference_id=command.reference_id,
        description=command.description,
        metadata=command.metadata,
    )
    draft = Draft(wallet, now, cause)
    draft.post(
        EntryType.HOLD, command.amount_micros, wallet.funds.hold(command.amount_micros), cause
    )
    next_time = min(wallet.next_hold_expire_time or hold.expire_time, hold.expire_time)
    return draft.settle(wallet._replace(next_hold_expire_time=next_time))._replace(holds=(hold,))


def require_same_hold(wallet: Wallet, first: Entry, hold: Hold | None, command: PlaceHold) -> None:
    """Refuse a repetition with other content."""
    fields: dict[str, tuple[object, object]] = {
        "type": (first.type, EntryType.HOLD),
        "amount_micros": (first.amount_micros, command.amount_micros),
        "currency_code": (wallet.currency_code, command.currency_code),
        "description": (first.description, command.description),
        "metadata": (first.metadata, command.metadata),
    }
    # One that a repair has made anew does not know how long it was to last.
    if hold is not None and hold.create_time == first.create_time:
        fields["ttl"] = (hold.expire_time - hold.create_time, command.ttl)
    require_same(command.reference_id, fields)


def capture(wallet: Wallet, hold: Hold | None, command: CaptureHold, now: datetime) -> Effect:
    """Spend from a hold, frozen or not: the message is sent already."""
    if hold is None:
        raise hold_not_found(command.hold_reference_id)
    from_hold = _amount_from_hold(wallet, hold, command, now)
    cause = Cause(
        reference_id=command.reference_id,
        hold_reference_id=hold.reference_id,
        metadata=_flags(command),
    )
    draft = Draft(wallet, now, cause)
    funds = wallet.funds.hold(-from_hold).take(command.amount_micros)
    draft.post(EntryType.CAPTURE, -command.amount_micros, funds, cause)
    captured = replace(
        hold,
        remaining_micros=hold.remaining_micros - from_hold,
        captured_micros=hold.captured_micros + command.amount_micros,
        update_time=now,
    )
    if command.final:
        captured = _close(draft, captured, EntryType.RELEASE, HoldState.CAPTURED, cause)
    return draft.settle(wallet)._replace(holds=(captured,))


def _amount_from_hold(wallet: Wallet, hold: Hold, command: CaptureHold, now: datetime) -> int:
    amount = command.amount_micros
    if hold.captured_micros + amount > MICROS_MAX:
        raise balance_limit_exceeded(wallet, amount)
    match hold.state:
        case HoldState.OPEN:
            if amount > hold.remaining_micros and not command.allow_excess:
                raise capture_exceeds_hold(hold.remaining_micros, amount)
            return min(amount, hold.remaining_micros)
        case HoldState.EXPIRED if now < hold.expire_time + command.late_window:
            left = max(0, hold.amount_micros - hold.captured_micros)
            if amount > left:
                raise capture_exceeds_hold(left, amount)
            return 0
        case _:
            raise hold_not_open(hold)


def _flags(command: CaptureHold) -> Metadata:
    """What an entry has no column for, so that a repetition can be compared."""
    flags = {"final": command.final, "allow_excess": command.allow_excess}
    return {name: "true" for name, is_set in flags.items() if is_set} or None


def require_same_capture(first: Entry, command: CaptureHold) -> None:
    """Refuse a repetition with other content."""
    before, now = first.metadata or {}, _flags(command) or {}
    fields: dict[str, tuple[object, object]] = {
        "type": (first.type, EntryType.CAPTURE),
        "hold_reference_id": (first.hold_reference_id, command.hold_reference_id),
        "amount_micros": (-first.amount_micros, command.amount_micros),
        "final": (before.get("final"), now.get("final")),
        "allow_excess": (before.get("allow_excess"), now.get("allow_excess")),
    }
    require_same(command.reference_id, fields)


def release(wallet: Wallet, hold: Hold | None, hold_reference_id: str, now: datetime) -> Effect:
    """Free what a hold still has; one that expired takes no late captures any more."""
    if hold is None:
        raise hold_not_found(hold_reference_id)
    match hold.state:
        case HoldState.RELEASED:
            return Effect(wallet, holds=(hold,))
        case HoldState.CAPTURED:
            raise hold_not_open(hold)
        case HoldState.OPEN | HoldState.EXPIRED:
            cause = Cause(hold_reference_id=hold.reference_id)
            draft = Draft(wallet, now, cause)
            released = _close(draft, hold, EntryType.RELEASE, HoldState.RELEASED, cause)
            return draft.settle(wallet)._replace(holds=(released,))


def expire(
    wallet: Wallet, due: Sequence[Hold], next_expire_time: datetime | None, now: datetime
) -> Effect:
    """Give back what holds whose time is up still have."""
    draft = Draft(wallet, now, Cause())
    expired = tuple(
        _close(
            draft,
            hold,
            EntryType.EXPIRY,
            HoldState.EXPIRED,
            Cause(hold_reference_id=hold.reference_id),
        )
        for hold in due
    )
    after = wallet._replace(next_hold_expire_time=next_expire_time)
    return draft.settle(after)._replace(holds=expired)


def _close(draft: Draft, hold: Hold, type_: EntryType, state: HoldState, cause: Cause) -> Hold:
    if hold.remaining_micros:
        funds = draft.funds.hold(-hold.remaining_micros)
        draft.post(type_, -hold.remaining_micros, funds, cause._replace(metadata=None))
    return replace(hold, remaining_micros=0, state=state, update_time=draft.time)
