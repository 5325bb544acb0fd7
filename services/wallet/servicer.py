"""WalletService on the wire: requests become commands, wallets and entries become messages."""

from typing import Any

from libs.rpc.times import optional_time, to_timestamp
from libs.service import RpcService
from services.wallet.domain.commands import (
    ApplyPayment,
    Credit,
    Debit,
    LiftFreeze,
    OpenWallet,
    SetFreeze,
)
from services.wallet.domain.values import (
    Entry,
    EntryFilter,
    EntryType,
    Freeze,
    FreezeReason,
    Wallet,
)
from services.wallet.operations import WalletOperations
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2, wallet_service_pb2_grpc

SERVICE_NAME = "tollgate.wallet.v1.WalletService"


class WalletServicer(wallet_service_pb2_grpc.WalletServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, operations: WalletOperations, default_currency_code: str) -> None:
        self._operations = operations
        self._default_currency_code = default_currency_code

    async def CreateWallet(
        self, request: wallet_service_pb2.CreateWalletRequest, context: Any
    ) -> wallet_service_pb2.CreateWalletResponse:
        """Open the wallet."""
        effect = await self._operations.execute(
            request.organization_id, OpenWallet(request.currency_code)
        )
        return wallet_service_pb2.CreateWalletResponse(wallet=_wallet_message(effect.wallet))

    async def GetWallet(
        self, request: wallet_service_pb2.GetWalletRequest, context: Any
    ) -> wallet_service_pb2.GetWalletResponse:
        """Read the wallet."""
        wallet = await self._operations.get_wallet(request.organization_id)
        return wallet_service_pb2.GetWalletResponse(wallet=_wallet_message(wallet))

    async def Debit(
        self, request: wallet_service_pb2.DebitRequest, context: Any
    ) -> wallet_service_pb2.DebitResponse:
        """Spend."""
        effect = await self._operations.execute(
            request.organization_id,
            Debit(
                amount_micros=request.amount_micros,
                currency_code=request.currency_code,
                reference_id=request.reference_id,
                description=request.description,
                metadata=dict(request.metadata),
            ),
        )
        return wallet_service_pb2.DebitResponse(
            entry=_entry_message(effect.entries[0]),
            wallet=_wallet_message(effect.wallet),
            replayed=effect.replayed,
        )

    async def Credit(
        self, request: wallet_service_pb2.CreditRequest, context: Any
    ) -> wallet_service_pb2.CreditResponse:
        """Add money."""
        type_name = wallet_service_pb2.CreditType.Name(request.type)
        effect = await self._operations.execute(
            request.organization_id,
            Credit(
                amount_micros=request.amount_micros,
                currency_code=request.currency_code,
                reference_id=request.reference_id,
                entry_type=EntryType(type_name.removeprefix("CREDIT_TYPE_")),
                description=request.description,
                metadata=dict(request.metadata),
            ),
        )
        return wallet_service_pb2.CreditResponse(
            entries=[_entry_message(entry) for entry in effect.entries],
            wallet=_wallet_message(effect.wallet),
            replayed=effect.replayed,
        )

    async def ApplyPayment(
        self, request: wallet_service_pb2.ApplyPaymentRequest, context: Any
    ) -> wallet_service_pb2.ApplyPaymentResponse:
        """Take a payment's level."""
        effect = await self._operations.execute(
            request.organization_id,
            ApplyPayment(
                payment_id=request.payment_id,
                revision=request.revision,
                currency_code=request.currency_code,
                credited_micros=request.credited_micros,
                description=request.description,
                metadata=dict(request.metadata),
                default_currency_code=self._default_currency_code,
            ),
        )
        return wallet_service_pb2.ApplyPaymentResponse(
            stored_revision=effect.payment.revision if effect.payment else 0,
            entries=[_entry_message(entry) for entry in effect.entries],
            wallet=_wallet_message(effect.wallet),
        )

    async def FreezeWallet(
        self, request: wallet_service_pb2.FreezeWalletRequest, context: Any
    ) -> wallet_service_pb2.FreezeWalletResponse:
        """Set a freeze."""
        command = SetFreeze(
            _freeze_reason(request.reason), request.reference_id, request.note, request.actor
        )
        effect = await self._operations.execute(request.organization_id, command)
        return wallet_service_pb2.FreezeWalletResponse(wallet=_wallet_message(effect.wallet))

    async def UnfreezeWallet(
        self, request: wallet_service_pb2.UnfreezeWalletRequest, context: Any
    ) -> wallet_service_pb2.UnfreezeWalletResponse:
        """Lift a freeze."""
        command = LiftFreeze(
            _freeze_reason(request.reason), request.reference_id, request.note, request.actor
        )
        effect = await self._operations.execute(request.organization_id, command)
        return wallet_service_pb2.UnfreezeWalletResponse(wallet=_wallet_message(effect.wallet))

    async def ListEntries(
        self, request: wallet_service_pb2.ListEntriesRequest, context: Any
    ) -> wallet_service_pb2.ListEntriesResponse:
        """List the ledger."""
        page = await self._operations.list_entries(
            EntryFilter(
                organization_id=request.organization_id,
                start_time=optional_time(request, "start_time"),
                end_time=optional_time(request, "end_time"),
                type=_entry_type(request.type),
                reference_id=request.reference_id,
                payment_id=request.payment_id,
                actor=request.actor,
            ),
            request.page_size,
            request.page_token,
        )
        return wallet_service_pb2.ListEntriesResponse(
            entries=[_entry_message(entry) for entry in page.items],
            next_page_token=page.next_page_token,
        )


def _freeze_reason(value: wallet_pb2.FreezeReason.ValueType) -> FreezeReason:
    return FreezeReason(wallet_pb2.FreezeReason.Name(value).removeprefix("FREEZE_REASON_"))


def _freeze_reason_value(reason: FreezeReason) -> wallet_pb2.FreezeReason.ValueType:
    return wallet_pb2.FreezeReason.Value(f"FREEZE_REASON_{reason}")


def _entry_type(value: wallet_pb2.EntryType.ValueType) -> EntryType | None:
    if value == wallet_pb2.ENTRY_TYPE_UNSPECIFIED:
        return None
    return EntryType(wallet_pb2.EntryType.Name(value).removeprefix("ENTRY_TYPE_"))


def _wallet_message(wallet: Wallet) -> wallet_pb2.Wallet:
    return wallet_pb2.Wallet(
        organization_id=wallet.organization_id,
        currency_code=wallet.currency_code or "",
        balance_micros=wallet.balance_micros,
        depleted=wallet.depleted,
        frozen=bool(wallet.freezes),
        freezes=[_freeze_message(freeze) for freeze in wallet.freezes],
        entry_count=wallet.entry_count,
        revision=wallet.level_revision,
        create_time=to_timestamp(wallet.create_time),
        update_time=to_timestamp(wallet.update_time),
    )


def _freeze_message(freeze: Freeze) -> wallet_pb2.Freeze:
    return wallet_pb2.Freeze(
        reason=_freeze_reason_value(freeze.reason),
        reference_id=freeze.reference_id,
        note=freeze.note,
        actor=freeze.actor,
        create_time=to_timestamp(freeze.create_time),
    )


def _entry_message(entry: Entry) -> wallet_pb2.Entry:
    account = entry.counterparty_account or "UNSPECIFIED"
    return wallet_pb2.Entry(
        organization_id=entry.organization_id,
        sequence=entry.sequence,
        type=wallet_pb2.EntryType.Value(f"ENTRY_TYPE_{entry.type}"),
        amount_micros=entry.amount_micros,
        balance_after_micros=entry.balance_after_micros,
        reference_id=entry.reference_id or entry.freeze_reference_id or "",
        payment_id=entry.payment_id or "",
        counterparty_account=wallet_pb2.CounterpartyAccount.Value(
            f"COUNTERPARTY_ACCOUNT_{account}"
        ),
        actor=entry.actor,
        description=entry.description,
        metadata=entry.metadata,
        freeze_reason=_freeze_reason_value(entry.freeze_reason)
        if entry.freeze_reason
        else wallet_pb2.FREEZE_REASON_UNSPECIFIED,
        create_time=to_timestamp(entry.create_time),
    )


def wallet_service(operations: WalletOperations, default_currency_code: str) -> RpcService:
    """Return the gRPC service of the wallet."""
    return RpcService(
        SERVICE_NAME,
        WalletServicer(operations, default_currency_code),
        wallet_service_pb2_grpc.add_WalletServiceServicer_to_server,
    )
