"""The effect of one command while it is being decided: entries in their order, and what follows."""

from datetime import datetime
from typing import NamedTuple

from services.wallet.domain.funds import Funds
from services.wallet.domain.refusals import balance_limit_exceeded
from services.wallet.domain.values import (
    Entry,
    EntryType,
    Freeze,
    Hold,
    Metadata,
    Payment,
    Wallet,
)

MICROS_MAX = 2**63 - 1


class Effect(NamedTuple):
    """What a command did: the wallet after it, what is to be appended, and what is to be kept."""

    wallet: Wallet
    entries: tuple[Entry, ...] = ()
    payment: Payment | None = None
    holds: tuple[Hold, ...] = ()
    replayed: bool = False
    # Of what a payment's level has reversed now: what was there, and what is owed.
    collected_micros: int = 0
    owed_micros: int = 0


class Cause(NamedTuple):
    """What an entry tells of the command behind it."""

    reference_id: str | None = None
    payment_id: str | None = None
    hold_reference_id: str | None = None
    actor: str = ""
    description: str = ""
    metadata: Metadata = None


class Draft:
    """Collects entries; lives only while one command is decided."""

    __slots__ = ("_before", "_cause", "_sequence", "entries", "funds", "time")

    def __init__(self, before: Wallet, now: datetime, cause: Cause) -> None:
        self._before = before
        self._cause = cause
        self._sequence = before.entry_count
        self.entries: list[Entry] = []
        self.funds = before.funds
        self.time = now

    def post(self, type_: EntryType, amount_micros: int, funds: Funds, cause: Cause) -> None:
        """Append an entry after which the funds stand so."""
        if funds.balance_micros > MICROS_MAX or funds.owed_micros > MICROS_MAX:
            raise balance_limit_exceeded(self._before, amount_micros)
        self._sequence += 1
        part = len(self.entries) if cause.reference_id is not None else None
        self.funds = funds
        self.entries.append(
            Entry(
                self._before.organization_id,
                self._sequence,
                amount_micros,
                funds.balance_micros,
                funds.held_micros,
                funds.owed_micros,
                self.time,
                type_,
                self._before.currency_code or "",
                cause.reference_id,
                part,
                cause.payment_id,
                cause.hold_reference_id,
                None,
                None,
                cause.actor,
                cause.description,
                cause.metadata,
            )
        )

    def post_freeze(self, type_: EntryType, freeze: Freeze) -> None:
        """Append the entry of a freeze that was set or lifted."""
        cause = Cause(actor=freeze.actor, description=freeze.note)
        self.post(type_, 0, self.funds, cause)
        self.entries[-1] = self.entries[-1]._replace(
            freeze_reason=freeze.reason, freeze_reference_id=freeze.reference_id
        )

    def settle(self, after: Wallet) -> Effect:
        """Bring all that is derived in line with the change."""
        if after.currency_code is None:
            return Effect(after)
        if self.funds.owed_micros:
            self._repay_debt()
        if after.at_risk_micros or self.funds.kept_micros:
            self._keep_at_risk(after.at_risk_micros)
        settled = self._follow_subscription(after)
        return Effect(self._follow_level(settled), tuple(self.entries))

    def _repay_debt(self) -> None:
        repaid = self.funds.repay()
        amount = repaid.owed_micros - self.funds.owed_micros
        if amount:
            self.post(EntryType.DEBT_REPAYMENT, amount, repaid, self._derived_cause)

    def _keep_at_risk(self, at_risk_micros: int) -> None:
        funds = self.funds
        wanted = min(at_risk_micros, funds.balance_micros - funds.in_holds_micros)
        change = wanted - funds.kept_micros
        if change:
            type_ = EntryType.AT_RISK if change > 0 else EntryType.AT_RISK_ENDED
            self.post(type_, change, funds.keep(wanted), self._derived_cause)

    @property
    def _derived_cause(self) -> Cause:
        return self._cause._replace(actor="", description="", metadata=None)

    def _follow_subscription(self, after: Wallet) -> Wallet:
        settled = after.as_of(self.time)
        if settled.freezes != after.freezes:
            frozen = len(settled.freezes) > len(after.freezes)
            type_ = EntryType.FREEZE if frozen else EntryType.UNFREEZE
            self.post_freeze(type_, settled.derived_freeze(self.time))
        return settled

    def _follow_level(self, after: Wallet) -> Wallet:
        before = self._before
        after = after.moved(
            self.funds, self._sequence, self.time if self.entries else after.update_time
        )
        depleted = _is_depleted(after)
        changed = (
            depleted is not before.depleted
            or self.funds.owed_micros != before.funds.owed_micros
            or not before.level_revision
            # To see that they are the same is quicker than to look into them.
            or (
                after.freezes is not before.freezes
                and after.freeze_reasons != before.freeze_reasons
            )
        )
        if not changed:
            return after
        return after._replace(
            depleted=depleted,
            depleted_since=(before.depleted_since or self.time) if depleted else None,
            level_revision=before.level_revision + 1,
        )


def _is_depleted(wallet: Wallet) -> bool:
    """Between the two thresholds it stays as it is."""
    if wallet.depleted:
        return wallet.funds.balance_micros < wallet.resume_above_micros
    return wallet.funds.balance_micros < wallet.depleted_below_micros
