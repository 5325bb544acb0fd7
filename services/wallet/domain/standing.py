"""Compares what a wallet's entries tell with what else is stored of it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, TypeAlias

from services.wallet.domain.chain import CHAIN_START
from services.wallet.domain.findings import Finding, FindingKind
from services.wallet.domain.values import FreezeReason, Hold, Payment, Wallet

FreezeIdentity: TypeAlias = tuple[FreezeReason, str]

# What is set where the ledger is too broken to tell of it.
FROZEN_WITHOUT_ENTRY: FreezeIdentity = (FreezeReason.INTEGRITY, "")


class Standing(NamedTuple):
    """How a wallet stands by an entry of its ledger; before the first one, as it begins."""

    sequence: int = 0
    chain: bytes | None = CHAIN_START
    balance_micros: int = 0
    held_micros: int = 0
    owed_micros: int = 0
    currency_code: str | None = None
    time: datetime | None = None


class Head(NamedTuple):
    """An entry by its chain, as it was told outside of the database.

    With its time it holds until the wallet is repaired: what is lost then is lost in the open.
    """

    organization_id: str
    sequence: int
    chain: bytes
    time: datetime | None = None

    def is_given_up_by(self, repair_time: datetime | None) -> bool:
        """Tell whether a repair has come after it."""
        return self.time is not None and repair_time is not None and repair_time > self.time


class Stored(NamedTuple):
    """What stands besides the entries: the wallet's row, its payments, and what of its holds."""

    wallet: Wallet | None
    payments: Mapping[str, Payment]
    on_hold_micros: int
    # Those that are not over by their entries, and those that may still be captured although no
    # entry has placed them; looked for only where all entries are.
    holds: Mapping[str, Hold]
    untold_holds: Mapping[str, Hold]

    @property
    def at_risk_micros(self) -> int:
        """What the payments have at risk."""
        return sum(payment.at_risk_micros for payment in self.payments.values())


def compare_heads(
    heads: Iterable[Head], chains: Mapping[int, bytes | None], last_sequence: int
) -> Iterator[Finding]:
    """Find entries that were told of, and are not there any more, or are others."""
    for head in heads:
        if head.sequence not in chains:
            is_cut = head.sequence > last_sequence
            kind = FindingKind.TAIL_CUT if is_cut else FindingKind.ENTRY_MISSING
            detail = f"it was logged, and the last entry is {last_sequence}"
            yield Finding(head.organization_id, head.sequence, kind, detail)
        elif chains[head.sequence] != head.chain:
            detail = f"it was logged with the chain {head.chain.hex()}"
            kind = FindingKind.ENTRY_CHANGED
            yield Finding(head.organization_id, head.sequence, kind, detail)


def compare(organization_id: str, last: Standing, stored: Stored) -> Iterator[Finding]:
    """Find where the row, the holds and what is at risk are not as they must be."""
    wallet = stored.wallet
    if wallet is None:
        if last.sequence or stored.payments or stored.on_hold_micros:
            detail = f"there are {last.sequence} entries and no wallet"
            yield Finding(organization_id, last.sequence, FindingKind.WALLET_MISSING, detail)
        return
    for kind, detail in (
        *_compare_row(wallet, last),
        *_compare_holds(wallet, stored),
        *_compare_at_risk(wallet, stored),
    ):
        yield Finding(organization_id, 0, kind, detail)


def _compare_row(wallet: Wallet, last: Standing) -> Iterator[tuple[FindingKind, str]]:
    if wallet.entry_count > last.sequence:
        cut = f"the wallet counts {wallet.entry_count} entries, the last there is {last.sequence}"
        yield FindingKind.TAIL_CUT, cut
        return
    row = Standing(
        wallet.entry_count,
        wallet.chain if last.sequence else CHAIN_START,
        wallet.funds.balance_micros,
        wallet.funds.held_micros,
        wallet.funds.owed_micros,
        wallet.currency_code if last.sequence else None,
        last.time,
    )
    differing = [
        f"{name} is {there!r}, by the last entry {told!r}"
        for name, there, told in zip(Standing._fields, row, last, strict=True)
        if there != told
    ]
    if differing:
        yield FindingKind.WALLET_DIFFERS, "; ".join(differing)


def _compare_holds(wallet: Wallet, stored: Stored) -> Iterator[tuple[FindingKind, str]]:
    in_holds = wallet.funds.in_holds_micros
    if in_holds != stored.on_hold_micros:
        detail = f"{in_holds} are held for holds that have {stored.on_hold_micros}"
        yield FindingKind.HOLDS_DIFFER, detail


def compare_freezes(
    told: Iterable[FreezeIdentity], stored: Iterable[FreezeIdentity]
) -> Iterator[str]:
    """Tell which freezes are set by the entries and not in the row, or the other way round.

    The subscription's is derived whenever it is asked for: what is stored of it decides nothing.
    """
    by_entries, in_row = (
        {identity for identity in each if identity[0] is not FreezeReason.SUBSCRIPTION_INACTIVE}
        for each in (told, stored)
    )
    for reason, reference_id in sorted(by_entries - in_row):
        yield f"the freeze {reason} {reference_id!r} was set, and is gone"
    for reason, reference_id in sorted(in_row - by_entries - {FROZEN_WITHOUT_ENTRY}):
        yield f"the freeze {reason} {reference_id!r} is there, and was not set"


def compare_payments(
    paid: Mapping[str, int], payments: Mapping[str, Payment]
) -> Iterator[tuple[str, int, int]]:
    """Tell which payments come to something else by their entries than by their levels."""
    for payment_id in sorted({*paid, *payments}):
        by_entries = paid.get(payment_id, 0)
        level = payments.get(payment_id)
        by_level = level.credited_micros - level.reversed_micros if level else 0
        if by_entries != by_level:
            yield payment_id, by_entries, by_level


def _compare_at_risk(wallet: Wallet, stored: Stored) -> Iterator[tuple[FindingKind, str]]:
    if wallet.at_risk_micros != stored.at_risk_micros:
        detail = f"{wallet.at_risk_micros} at risk, by the payments {stored.at_risk_micros}"
        yield FindingKind.PAYMENTS_DIFFER, detail
    funds = wallet.funds
    kept = min(wallet.at_risk_micros, funds.balance_micros - funds.in_holds_micros)
    if funds.kept_micros != kept:
        detail = f"{funds.kept_micros} are kept for what is at risk, and should be {kept}"
        yield FindingKind.WALLET_DIFFERS, detail
