"""Wallets, entries and holds as messages, and the names of enums in both directions."""

from collections.abc import Mapping
from datetime import timedelta

from libs.rpc.times import fill_timestamp, to_timestamp
from services.wallet.domain.values import (
    CounterpartyAccount,
    Entry,
    EntryType,
    Freeze,
    FreezeReason,
    Hold,
    HoldState,
    Metadata,
    Wallet,
)
from tollgate.wallet.v1 import hold_pb2, wallet_pb2

ENTRY_TYPE_VALUES = {
    type_: wallet_pb2.EntryType.Value(f"ENTRY_TYPE_{type_}") for type_ in EntryType
}
COUNTERPARTY_VALUES: Mapping[
    CounterpartyAccount | None, wallet_pb2.CounterpartyAccount.ValueType
] = {
    None: wallet_pb2.COUNTERPARTY_ACCOUNT_UNSPECIFIED,
    **{
        account: wallet_pb2.CounterpartyAccount.Value(f"COUNTERPARTY_ACCOUNT_{account}")
        for account in CounterpartyAccount
    },
}


def to_metadata(metadata: Mapping[str, str]) -> Metadata:
    """Return a request's metadata, None where there is none."""
    return dict(metadata) if metadata else None


def to_freeze_reason(value: wallet_pb2.FreezeReason.ValueType) -> FreezeReason:
    """Return the reason of a message."""
    return FreezeReason(wallet_pb2.FreezeReason.Name(value).removeprefix("FREEZE_REASON_"))


def optional_freeze_reason(value: wallet_pb2.FreezeReason.ValueType) -> FreezeReason | None:
    """Return the reason of a filter, None where it is unset."""
    return to_freeze_reason(value) if value else None


def optional_entry_type(value: wallet_pb2.EntryType.ValueType) -> EntryType | None:
    """Return the type of a filter, None where it is unset."""
    return (
        EntryType(wallet_pb2.EntryType.Name(value).removeprefix("ENTRY_TYPE_")) if value else None
    )


def optional_hold_state(value: hold_pb2.HoldState.ValueType) -> HoldState | None:
    """Return the state of a filter, None where it is unset."""
    return HoldState(hold_pb2.HoldState.Name(value).removeprefix("HOLD_STATE_")) if value else None


def wallet_message(wallet: Wallet, *, with_freezes: bool = True) -> wallet_pb2.Wallet:
    """Return a wallet as it is told."""
    message = wallet_pb2.Wallet()
    fill_wallet(message, wallet, with_freezes=with_freezes)
    return message


def fill_wallet(message: wallet_pb2.Wallet, wallet: Wallet, *, with_freezes: bool = True) -> None:
    """Tell a wallet in place."""
    funds = wallet.funds
    message.organization_id = wallet.organization_id
    message.currency_code = wallet.currency_code or ""
    message.balance_micros = funds.balance_micros
    message.held_micros = funds.held_micros
    message.available_micros = funds.available_micros
    message.owed_micros = funds.owed_micros
    message.depleted = wallet.depleted
    message.depleted_below_micros = wallet.depleted_below_micros
    message.resume_above_micros = wallet.resume_above_micros
    message.frozen = bool(wallet.freezes)
    message.entry_count = wallet.entry_count
    message.revision = wallet.level_revision
    fill_timestamp(message.create_time, wallet.create_time)
    fill_timestamp(message.update_time, wallet.update_time)
    if with_freezes and wallet.freezes:
        message.freezes.extend(_freeze_message(freeze) for freeze in wallet.freezes)


def _freeze_message(freeze: Freeze) -> wallet_pb2.Freeze:
    return wallet_pb2.Freeze(
        reason=wallet_pb2.FreezeReason.Value(f"FREEZE_REASON_{freeze.reason}"),
        reference_id=freeze.reference_id,
        note=freeze.note,
        actor=freeze.actor,
        create_time=to_timestamp(freeze.create_time),
    )


def entry_message(entry: Entry) -> wallet_pb2.Entry:
    """Return an entry as it is told."""
    message = wallet_pb2.Entry()
    fill_entry(message, entry)
    return message


def fill_entry(message: wallet_pb2.Entry, entry: Entry) -> None:
    """Tell an entry in place: to set one message into another is to copy it."""
    message.organization_id = entry.organization_id
    message.sequence = entry.sequence
    message.type = ENTRY_TYPE_VALUES[entry.type]
    message.amount_micros = entry.amount_micros
    message.balance_after_micros = entry.balance_after_micros
    message.held_after_micros = entry.held_after_micros
    message.owed_after_micros = entry.owed_after_micros
    message.currency_code = entry.currency_code
    message.reference_id = entry.reference_id or entry.freeze_reference_id or ""
    message.counterparty_account = COUNTERPARTY_VALUES[entry.counterparty_account]
    message.description = entry.description
    message.chain = entry.chain or b""
    fill_timestamp(message.create_time, entry.create_time)
    _fill_rare_fields(message, entry)


def _fill_rare_fields(message: wallet_pb2.Entry, entry: Entry) -> None:
    if entry.actor:
        message.actor = entry.actor
    if entry.payment_id:
        message.payment_id = entry.payment_id
    if entry.hold_reference_id:
        message.hold_reference_id = entry.hold_reference_id
    if entry.metadata:
        message.metadata.update(entry.metadata)
    if entry.freeze_reason:
        message.freeze_reason = wallet_pb2.FreezeReason.Value(
            f"FREEZE_REASON_{entry.freeze_reason}"
        )


def hold_message(hold: Hold, currency_code: str | None, late_window: timedelta) -> hold_pb2.Hold:
    """Return a hold as it is told."""
    return hold_pb2.Hold(
        organization_id=hold.organization_id,
        reference_id=hold.reference_id,
        amount_micros=hold.amount_micros,
        remaining_micros=hold.remaining_micros,
        captured_micros=hold.captured_micros,
        currency_code=currency_code or "",
        state=hold_pb2.HoldState.Value(f"HOLD_STATE_{hold.state}"),
        expire_time=to_timestamp(hold.expire_time),
        late_capture_end_time=to_timestamp(hold.expire_time + late_window),
        description=hold.description,
        metadata=hold.metadata,
        create_time=to_timestamp(hold.create_time),
        update_time=to_timestamp(hold.update_time),
    )
