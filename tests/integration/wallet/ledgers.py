"""Ledgers to prove, and the rpcs that prove and repair them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from tests.integration.wallet.requests import ORGANIZATION, credit, debit, freeze, unfreeze
from tests.integration.wallet.requests import open_wallet as open_
from tollgate.wallet.v1 import (
    ledger_pb2,
    wallet_pb2,
    wallet_service_holds_pb2,
    wallet_service_ledger_pb2,
    wallet_service_pb2,
)
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# What a superuser may do to a ledger of one wallet.
ADD_ENTRY = """
INSERT INTO entries
SELECT organization_id, sequence + 1, 500, balance_after_micros + 500, held_after_micros,
    owed_after_micros, create_time, 'TOP_UP', currency_code, 'forged', 0, NULL, NULL, NULL, NULL,
    '', '', NULL, chain
FROM entries ORDER BY sequence DESC LIMIT 1
"""
FOLLOW_LAST_ENTRY = """
UPDATE wallets
SET last_sequence = entries.sequence, balance_micros = balance_after_micros,
    held_micros = held_after_micros, owed_micros = owed_after_micros, chain = entries.chain
FROM (SELECT * FROM entries ORDER BY sequence DESC LIMIT 1) AS entries
"""

HOUR = Duration()
HOUR.FromTimedelta(timedelta(hours=1))


async def write_story(wallet: WalletServiceStub, organization_id: str = ORGANIZATION) -> None:
    """Write a ledger with every kind of thing in it: a payment at risk, an open hold, a debt."""
    await open_(wallet, organization_id)
    await wallet.Credit(credit(1_000, "in", organization_id))
    await wallet.ApplyPayment(payment(1, 500, organization_id=organization_id))
    for number in range(3):
        await wallet.Debit(debit(10, f"message-{number}", organization_id))
    for number in range(2):
        await wallet.PlaceHold(place(100, f"hold-{number}", organization_id))
    await wallet.CaptureHold(capture(30, "hold-0", organization_id))
    await wallet.ApplyPayment(payment(2, 500, 100, 50, organization_id=organization_id))
    request = freeze("dispute")
    request.organization_id = organization_id
    await wallet.FreezeWallet(request)
    lift = unfreeze("dispute")
    lift.organization_id = organization_id
    await wallet.UnfreezeWallet(lift)


def payment(
    revision: int,
    credited_micros: int,
    reversed_micros: int = 0,
    at_risk_micros: int = 0,
    organization_id: str = ORGANIZATION,
) -> wallet_service_pb2.ApplyPaymentRequest:
    """Tell the level of a payment."""
    return wallet_service_pb2.ApplyPaymentRequest(
        organization_id=organization_id,
        payment_id="stripe:pi_1",
        revision=revision,
        currency_code="USD",
        credited_micros=credited_micros,
        reversed_micros=reversed_micros,
        at_risk_micros=at_risk_micros,
    )


def place(
    amount_micros: int, reference_id: str, organization_id: str = ORGANIZATION
) -> wallet_service_holds_pb2.PlaceHoldRequest:
    """Ask for a hold of an hour."""
    return wallet_service_holds_pb2.PlaceHoldRequest(
        organization_id=organization_id,
        amount_micros=amount_micros,
        currency_code="USD",
        reference_id=reference_id,
        ttl=HOUR,
    )


def capture(
    amount_micros: int, hold_reference_id: str, organization_id: str = ORGANIZATION
) -> wallet_service_holds_pb2.CaptureHoldRequest:
    """Ask for the final capture of a hold."""
    return wallet_service_holds_pb2.CaptureHoldRequest(
        organization_id=organization_id,
        hold_reference_id=hold_reference_id,
        amount_micros=amount_micros,
        reference_id=f"{hold_reference_id}.captured",
        final=True,
    )


@dataclass
class Outcome:
    """What VerifyLedger has told."""

    progress: list[ledger_pb2.VerifyProgress] = field(default_factory=list)
    findings: list[ledger_pb2.LedgerFinding] = field(default_factory=list)
    summary: ledger_pb2.VerifySummary = field(default_factory=ledger_pb2.VerifySummary)

    @property
    def kinds(self) -> set[str]:
        """What is wrong now."""
        return {kind_of(finding) for finding in self.findings if not finding.repaired}

    @property
    def repaired_kinds(self) -> set[str]:
        """What was wrong before a repair."""
        return {kind_of(finding) for finding in self.findings if finding.repaired}


def kind_of(finding: ledger_pb2.LedgerFinding) -> str:
    """Name a finding's kind."""
    name = ledger_pb2.LedgerFindingKind.Name(finding.kind)
    return name.removeprefix("LEDGER_FINDING_KIND_")


async def verify(
    wallet: WalletServiceStub,
    organization_id: str = ORGANIZATION,
    heads: Iterable[ledger_pb2.ChainHead] = (),
) -> Outcome:
    """Verify one wallet, or all."""
    outcome = Outcome()
    request = wallet_service_ledger_pb2.VerifyLedgerRequest(
        organization_id=organization_id, heads=heads
    )
    async for response in wallet.VerifyLedger(request):
        match response.WhichOneof("report"):
            case "progress":
                outcome.progress.append(response.progress)
            case "finding":
                outcome.findings.append(response.finding)
            case _:
                outcome.summary = response.summary
    return outcome


async def repair(
    wallet: WalletServiceStub, organization_id: str = ORGANIZATION, *, dry_run: bool = False
) -> wallet_service_ledger_pb2.RepairWalletResponse:
    """Repair a wallet, or see what that would write."""
    return await wallet.RepairWallet(
        wallet_service_ledger_pb2.RepairWalletRequest(
            organization_id=organization_id,
            justification="ticket-7",
            actor="anna@example.com",
            dry_run=dry_run,
        )
    )


def told_of(
    repaired: wallet_service_ledger_pb2.RepairWalletResponse,
) -> wallet_service_ledger_pb2.RepairWalletResponse:
    """Return what a repair tells, but for when it was and whether it was done."""
    told = wallet_service_ledger_pb2.RepairWalletResponse()
    told.CopyFrom(repaired)
    for entry in told.entries:
        entry.ClearField("create_time")
        entry.ClearField("chain")
    for finding in told.findings:
        finding.ClearField("repaired")
    for name in ("create_time", "update_time"):
        told.wallet.ClearField(name)
    for each in told.wallet.freezes:
        each.ClearField("create_time")
    return told


def lift_integrity() -> wallet_service_pb2.UnfreezeWalletRequest:
    """Ask to lift what the ledger check has set."""
    return wallet_service_pb2.UnfreezeWalletRequest(
        organization_id=ORGANIZATION,
        reason=wallet_pb2.FREEZE_REASON_INTEGRITY,
        actor="anna@example.com",
    )


async def trial_balance(wallet: WalletServiceStub) -> dict[str, int]:
    """Return what stands on each account, and the sum."""
    request = wallet_service_ledger_pb2.GetTrialBalanceRequest(currency_code="USD")
    response = await wallet.GetTrialBalance(request)
    names = wallet_pb2.CounterpartyAccount
    return {
        **{
            names.Name(each.account).removeprefix("COUNTERPARTY_ACCOUNT_"): each.total_micros
            for each in response.accounts
        },
        "sum": response.sum_micros,
    }


async def contents(superuser: Any) -> dict[str, list[Any]]:
    """Return all that the database holds of wallets."""
    return {
        table: await superuser.fetch(f"SELECT * FROM {table} ORDER BY {table}::text")  # noqa: S608
        for table in ("wallets", "entries", "holds", "payments")
    }
