"""Rpcs that prove and repair the ledger."""

from collections.abc import AsyncIterator
from typing import Any, assert_never

from libs.rpc.rules import check_request
from services.wallet.domain.findings import Finding
from services.wallet.domain.repairing import RepairOrder
from services.wallet.domain.standing import Head
from services.wallet.operations.verification import Progress, Report, Summary
from services.wallet.servicer.base import Rpcs
from services.wallet.servicer.messages import entry_message, wallet_message
from tollgate.wallet.v1 import ledger_pb2, wallet_service_ledger_pb2


class ProofRpcs(Rpcs):
    """Translates; decides nothing."""

    async def VerifyLedger(
        self, request: wallet_service_ledger_pb2.VerifyLedgerRequest, context: Any
    ) -> AsyncIterator[wallet_service_ledger_pb2.VerifyLedgerResponse]:
        """Recompute all that entries tell."""
        heads = [_to_head(head) for head in request.heads]
        reports = self._parts.verification.verify_ledger(request.organization_id, heads)
        async for report in reports:
            yield _report_message(report)

    async def RepairWallet(
        self, request: wallet_service_ledger_pb2.RepairWalletRequest, context: Any
    ) -> wallet_service_ledger_pb2.RepairWalletResponse:
        """Bring a wallet to what its entries come to."""
        repairs = self._parts.repairs
        carry_out = repairs.rehearse if request.dry_run else repairs.repair_wallet
        order = RepairOrder(request.justification, request.actor)
        repaired = await carry_out(request.organization_id, order)
        return wallet_service_ledger_pb2.RepairWalletResponse(
            entries=[entry_message(entry) for entry in repaired.entries],
            wallet=wallet_message(repaired.wallet),
            findings=[_finding_message(finding) for finding in repaired.findings],
        )


def _to_head(head: ledger_pb2.ChainHead) -> Head:
    check_request(head)
    return Head(head.organization_id, head.sequence, head.chain)


def _report_message(report: Report) -> wallet_service_ledger_pb2.VerifyLedgerResponse:
    match report:
        case Progress():
            progress = ledger_pb2.VerifyProgress(**report._asdict())
            return wallet_service_ledger_pb2.VerifyLedgerResponse(progress=progress)
        case Finding():
            finding = _finding_message(report)
            return wallet_service_ledger_pb2.VerifyLedgerResponse(finding=finding)
        case Summary():
            summary = ledger_pb2.VerifySummary(**report._asdict())
            return wallet_service_ledger_pb2.VerifyLedgerResponse(summary=summary)
        case _:
            assert_never(report)


def _finding_message(finding: Finding) -> ledger_pb2.LedgerFinding:
    return ledger_pb2.LedgerFinding(
        organization_id=finding.organization_id,
        sequence=finding.sequence,
        kind=ledger_pb2.LedgerFindingKind.Value(f"LEDGER_FINDING_KIND_{finding.kind}"),
        detail=finding.detail,
        repaired=finding.repaired,
    )
