"""Rules about the organization's money."""

from collections.abc import Iterable, Iterator
from typing import Final

from services.operator_console.domain.findings import (
    BLOCKING,
    CRITICAL,
    WARNING,
    Finding,
    age_seconds,
    money,
    name_of,
    span,
    why_note,
)
from services.operator_console.domain.organization.case import OrganizationCase
from tollgate.billing_gateway.v1 import payment_pb2, provider_pb2
from tollgate.wallet.v1 import wallet_pb2

LONG_FROZEN_SECONDS: Final = 7 * 86_400.0


def _freezes(case: OrganizationCase, *reasons: int) -> Iterable[wallet_pb2.Freeze]:
    return (freeze for freeze in case.seen.wallet.freezes if freeze.reason in reasons)


def broken_ledger(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a ledger that does not prove itself."""
    for freeze in _freezes(case, wallet_pb2.FREEZE_REASON_INTEGRITY):
        yield Finding(
            severity=CRITICAL,
            code="LEDGER_INTEGRITY",
            what=f"the ledger of {case.organization_id} does not prove itself: {freeze.note}",
            why="Something has changed the database behind the wallet's back. Nothing is spent "
            "until it is understood: see VerifyLedger, then RepairWallet with dry_run.",
            next_step=case.commands.call(
                "wallet", "VerifyLedger", organization_id=case.organization_id
            ),
            since_time=freeze.create_time,
        )


def wallet_frozen_by_operator(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a freeze that a person set, and only a person lifts."""
    for freeze in _freezes(case, wallet_pb2.FREEZE_REASON_OPERATOR):
        code = "WALLET_FROZEN_BY_OPERATOR"
        yield Finding(
            severity=BLOCKING,
            code=code,
            what=f"{freeze.actor or 'somebody'} froze the wallet: {freeze.note or 'no note'}",
            why="While any freeze is set nothing can be spent. Ask who set it before you lift it.",
            next_step=case.commands.call(
                "wallet",
                "UnfreezeWallet",
                organization_id=case.organization_id,
                reason="FREEZE_REASON_OPERATOR",
                reference_id=freeze.reference_id,
                note=why_note(code),
            ),
            since_time=freeze.create_time,
        )


def disputed_wallet(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a freeze that a dispute set."""
    for freeze in _freezes(case, wallet_pb2.FREEZE_REASON_DISPUTE):
        yield Finding(
            severity=BLOCKING,
            code="WALLET_DISPUTED",
            what="a payment is disputed, or said to be made with another's card: "
            f"{freeze.reference_id or freeze.note}",
            why="Its money may have to be given back, so that nothing is spent meanwhile.",
            by_itself="The freeze lifts when the provider reports the end of a dispute. If it only "
            "warns, it stays until the payment is given back, or a person lifts it.",
            next_step=case.commands.call(
                "billing_gateway", "ListPayments", organization_id=case.organization_id
            ),
            since_time=freeze.create_time,
        )


def missing_wallet(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that there is nothing to pay from."""
    if case.has_answered("wallet") and not case.seen.HasField("wallet"):
        yield Finding(
            severity=BLOCKING,
            code="WALLET_MISSING",
            what=f"{case.organization_id} has no wallet",
            why="Nothing was ever credited, and its platform has not opened one (CreateWallet).",
            by_itself="The first payment that is credited opens it.",
            next_step=case.commands.call(
                "billing_gateway", "ListPayments", organization_id=case.organization_id
            ),
        )


def debt(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of money that was taken back when it was spent already."""
    wallet = case.seen.wallet
    if wallet.owed_micros > 0:
        owed = money(wallet.owed_micros, wallet.currency_code)
        yield Finding(
            severity=BLOCKING,
            code="DEBT_OWED",
            what=f"the wallet owes {owed}",
            why="A payment was refunded or lost in a dispute after its money was spent. While "
            "anything is owed nothing can be spent.",
            by_itself=f"The next credits repay it first; it sends again once {owed} are paid.",
            next_step=case.commands.call(
                "wallet",
                "ListEntries",
                organization_id=case.organization_id,
                type="ENTRY_TYPE_REVERSAL",
            ),
        )


def depleted_wallet(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that the money is spent."""
    wallet = case.seen.wallet
    if wallet.depleted:
        left = money(wallet.balance_micros, wallet.currency_code)
        enough = money(wallet.resume_above_micros, wallet.currency_code)
        yield Finding(
            severity=BLOCKING,
            code="WALLET_DEPLETED",
            what=f"{left} are left",
            why="The money is spent. If the customer has paid, its payment stands in the list of "
            "the next step, with what keeps it from being credited.",
            by_itself=f"Once the balance reaches {enough} its campaigns run again.",
            next_step=case.commands.call(
                "billing_gateway", "ListPayments", organization_id=case.organization_id
            ),
        )


def held_funds(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of money that is there, and kept back to the last cent."""
    wallet = case.seen.wallet
    if wallet.balance_micros > 0 and wallet.available_micros == 0 and not wallet.owed_micros:
        held = money(wallet.held_micros, wallet.currency_code)
        at_risk_micros = sum(payment.at_risk_micros for payment in case.seen.payments)
        at_risk = money(at_risk_micros, wallet.currency_code)
        yield Finding(
            severity=WARNING if wallet.depleted else BLOCKING,
            code="FUNDS_HELD",
            what=f"all of the balance is held: {held}, {at_risk} of it for open disputes",
            why="Open holds, and payments at risk in a dispute, keep their money back.",
            by_itself="Holds end by their capture, their release, or their ttl. What is at risk is "
            "let go or taken when the provider reports the end of the dispute.",
            next_step=case.commands.call(
                "billing_gateway", "ListPayments", organization_id=case.organization_id
            )
            if at_risk_micros >= wallet.held_micros
            else case.commands.call(
                "wallet",
                "ListHolds",
                organization_id=case.organization_id,
                state="HOLD_STATE_OPEN",
            ),
        )


def parked_payments(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of money that came and credits nothing."""
    for payment in case.seen.payments:
        if payment.state == payment_pb2.PAYMENT_STATE_PARKED:
            yield Finding(
                severity=BLOCKING if case.seen.wallet.depleted else WARNING,
                code="PAYMENT_PARKED",
                what=f"{payment.payment_id} is paid and credits nothing: {payment.problem}",
                why="It is not known what it credits; money waits with the provider.",
                next_step=case.commands.call(
                    "billing_gateway",
                    "GetPayment",
                    provider=name_of(provider_pb2.Provider, payment.provider),
                    payment_id=payment.payment_id,
                ),
                since_time=payment.create_time,
            )


def long_frozen(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a freeze that everybody has forgotten."""
    freezes = sorted(case.seen.wallet.freezes, key=lambda each: each.create_time.ToNanoseconds())
    for freeze in freezes[:1]:
        age = age_seconds(freeze.create_time, case.circumstances.now)
        if age > LONG_FROZEN_SECONDS:
            yield Finding(
                severity=WARNING,
                code="WALLET_FROZEN_LONG",
                what=f"the wallet is frozen for {span(age)}, "
                f"{name_of(wallet_pb2.FreezeReason, freeze.reason)}",
                why="The customer should hear of it, or the account be closed.",
                next_step=case.commands.call(
                    "wallet",
                    "ListEntries",
                    organization_id=case.organization_id,
                    type="ENTRY_TYPE_FREEZE",
                ),
                since_time=freeze.create_time,
            )
