"""Rpcs that move money: debits, credits, payments, corrections."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from libs.errors import DomainError, ErrorReason
from libs.logs import LOGGED_LENGTH_MAX, get_logger
from libs.rpc.boundary import to_status
from libs.rpc.rules import refusals_of
from services.wallet.domain.commands import AdjustBalance, ApplyPayment, Credit, Debit
from services.wallet.domain.draft import Effect
from services.wallet.domain.values import Entry, EntryType, Wallet
from services.wallet.operations.engine import Answer
from services.wallet.servicer.base import Rpcs
from services.wallet.servicer.messages import (
    entry_message,
    fill_entry,
    fill_wallet,
    to_metadata,
    wallet_message,
)
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2

# All of them at once: it is done for every debit.
DEBIT_FIELDS = attrgetter("amount_micros", "currency_code", "reference_id", "description")


class MoneyRpcs(Rpcs):
    """Translates; decides nothing."""

    async def Debit(
        self, request: wallet_service_pb2.DebitRequest, context: Any
    ) -> wallet_service_pb2.DebitResponse:
        """Spend."""
        effect = await self._engine.execute(request.organization_id, _debit(request))
        response = wallet_service_pb2.DebitResponse(replayed=effect.replayed)
        fill_entry(response.entry, effect.entries[0])
        fill_wallet(response.wallet, effect.wallet)
        return response

    async def BatchDebit(
        self, request: wallet_service_pb2.BatchDebitRequest, context: Any
    ) -> wallet_service_pb2.BatchDebitResponse:
        """Spend many times; each by itself."""
        debits = list(request.debits)
        refused = refusals_of(debits)
        commands = [
            (debit.organization_id, _debit(debit))
            for position, debit in enumerate(debits)
            if position not in refused
        ]
        carried_out = iter(await self._engine.execute_all(commands))
        answers: list[Answer] = [
            refused.get(position) or next(carried_out) for position in range(len(debits))
        ]
        _log_refusals(debits, answers)
        return _batch_response(answers)

    async def Credit(
        self, request: wallet_service_pb2.CreditRequest, context: Any
    ) -> wallet_service_pb2.CreditResponse:
        """Add money."""
        type_name = wallet_service_pb2.CreditType.Name(request.type)
        effect = await self._engine.execute(
            request.organization_id,
            Credit(
                amount_micros=request.amount_micros,
                currency_code=request.currency_code,
                reference_id=request.reference_id,
                entry_type=EntryType(type_name.removeprefix("CREDIT_TYPE_")),
                description=request.description,
                metadata=to_metadata(request.metadata),
            ),
        )
        return wallet_service_pb2.CreditResponse(
            entries=[entry_message(entry) for entry in effect.entries],
            wallet=wallet_message(effect.wallet),
            replayed=effect.replayed,
            debt_repaid_micros=_debt_repaid_micros(effect),
        )

    async def ApplyPayment(
        self, request: wallet_service_pb2.ApplyPaymentRequest, context: Any
    ) -> wallet_service_pb2.ApplyPaymentResponse:
        """Take a payment's level."""
        effect = await self._engine.execute(
            request.organization_id,
            ApplyPayment(
                payment_id=request.payment_id,
                revision=request.revision,
                currency_code=request.currency_code,
                credited_micros=request.credited_micros,
                reversed_micros=request.reversed_micros,
                at_risk_micros=request.at_risk_micros,
                blocks_spending=request.blocks_spending,
                description=request.description,
                metadata=to_metadata(request.metadata),
                default_currency_code=self._default_currency_code,
            ),
        )
        return wallet_service_pb2.ApplyPaymentResponse(
            stored_revision=effect.payment.revision if effect.payment else 0,
            entries=[entry_message(entry) for entry in effect.entries],
            wallet=wallet_message(effect.wallet),
            collected_micros=effect.collected_micros,
            owed_micros=effect.owed_micros,
        )

    async def AdjustBalance(
        self, request: wallet_service_pb2.AdjustBalanceRequest, context: Any
    ) -> wallet_service_pb2.AdjustBalanceResponse:
        """Correct the balance."""
        effect = await self._engine.execute(
            request.organization_id,
            AdjustBalance(
                delta_micros=request.delta_micros,
                currency_code=request.currency_code,
                reference_id=request.reference_id,
                justification=request.justification,
                actor=request.actor,
            ),
        )
        return wallet_service_pb2.AdjustBalanceResponse(
            entries=[entry_message(entry) for entry in effect.entries],
            wallet=wallet_message(effect.wallet),
            replayed=effect.replayed,
        )


def _debit(request: wallet_service_pb2.DebitRequest) -> Debit:
    return Debit(*DEBIT_FIELDS(request), to_metadata(request.metadata))


def _batch_response(answers: Sequence[Answer]) -> wallet_service_pb2.BatchDebitResponse:
    wallets = _wallet_messages(answers)
    response = wallet_service_pb2.BatchDebitResponse()
    for answer in answers:
        result = response.results.add()
        if isinstance(answer, Exception):
            result.error.CopyFrom(to_status(answer))
            continue
        fill_entry(result.response.entry, answer.entries[0])
        result.response.wallet.CopyFrom(wallets[answer.wallet.organization_id])
        result.response.replayed = answer.replayed
    return response


def _log_refusals(
    debits: Sequence[wallet_service_pb2.DebitRequest], answers: Sequence[Answer]
) -> None:
    """One line for each wallet and reason, since a batch may be of one wallet without money."""
    refused: dict[tuple[str, ErrorReason], list[str]] = {}
    for debit, answer in zip(debits, answers, strict=True):
        if isinstance(answer, DomainError):
            refused.setdefault((debit.organization_id, answer.reason), []).append(
                debit.reference_id
            )
    for (organization_id, reason), references in refused.items():
        get_logger().info(
            "batch_items_refused",
            organization_id=organization_id[:LOGGED_LENGTH_MAX],
            reason=reason,
            reference_id=references[0][:LOGGED_LENGTH_MAX],
            count=len(references),
        )


def _wallet_messages(answers: Sequence[Answer]) -> dict[str, wallet_pb2.Wallet]:
    """Return each wallet at its newest, since what was asked together may have come in parts.

    Made once for a thousand debits of one wallet; without freezes, which could be long.
    """
    newest: dict[str, Wallet] = {}
    for answer in answers:
        if isinstance(answer, Exception):
            continue
        wallet = answer.wallet
        known = newest.setdefault(wallet.organization_id, wallet)
        if wallet.entry_count > known.entry_count:
            newest[wallet.organization_id] = wallet
    return {name: wallet_message(wallet, with_freezes=False) for name, wallet in newest.items()}


def _debt_repaid_micros(effect: Effect) -> int:
    repayments: list[Entry] = [e for e in effect.entries if e.type is EntryType.DEBT_REPAYMENT]
    return -sum(entry.amount_micros for entry in repayments)
