"""What a wallet does with a command: the tests' second opinion on the rules of the contract."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from tests.support.wallet_model.values import (
    MICROS_MAX,
    Change,
    Command,
    ExpireHolds,
    FreezeKey,
    Hold,
    Money,
    Referenced,
    Refused,
    Standing,
)
from tollgate.billing_gateway.v1.subscription_observer_service_pb2 import ReportSubscriptionRequest
from tollgate.wallet.v1.hold_pb2 import (
    HOLD_STATE_CAPTURED,
    HOLD_STATE_EXPIRED,
    HOLD_STATE_OPEN,
    HOLD_STATE_RELEASED,
    HoldState,
)
from tollgate.wallet.v1.wallet_pb2 import (
    FREEZE_REASON_DISPUTE,
    FREEZE_REASON_SUBSCRIPTION_INACTIVE,
    FreezeReason,
)
from tollgate.wallet.v1.wallet_service_holds_pb2 import (
    CaptureHoldRequest,
    PlaceHoldRequest,
    ReleaseHoldRequest,
)
from tollgate.wallet.v1.wallet_service_pb2 import (
    AdjustBalanceRequest,
    ApplyPaymentRequest,
    CreditRequest,
    CreditType,
    DebitRequest,
    FreezeWalletRequest,
    UnfreezeWalletRequest,
    UpdateWalletRequest,
)

TTL_MIN, TTL_MAX = timedelta(seconds=1), timedelta(hours=24)


class WalletModel:
    """One wallet. Asked with decide, changed with take."""

    def __init__(self, currency_code: str, late_capture_window: timedelta) -> None:
        self.currency_code = currency_code
        self.late_capture_window = late_capture_window
        self.money = Money()
        self.holds: dict[str, Hold] = {}
        self.payments: dict[str, ApplyPaymentRequest] = {}
        self.freezes: frozenset[FreezeKey] = frozenset()
        self.subscription_revision = 0
        self.limits = (1, 1)
        self.depleted = True
        self.done: dict[str, Referenced] = {}

    def __str__(self) -> str:
        return f"{self.money}, {self.standing}, {set(self.freezes)}, {self.limits}"

    @property
    def standing(self) -> Standing:
        """What is told of the money."""
        return self.money.standing

    @property
    def level(self) -> tuple[frozenset[str], bool, int]:
        """What is announced when it changes."""
        return freeze_reasons(self.freezes), self.depleted, self.standing.owed_micros

    def take(self, command: Command, change: Change) -> None:
        """Become what the change says."""
        self.money = change.money
        for hold in change.holds:
            self.holds[hold.placed.reference_id] = hold
        if change.payment is not None:
            self.payments[change.payment.payment_id] = change.payment
        if change.freezes is not None:
            self.freezes = change.freezes
        self.subscription_revision = change.subscription_revision or self.subscription_revision
        self.limits = change.limits or self.limits
        if isinstance(command, Referenced):
            self.done[command.reference_id] = command
        depleted_below, resume_above = self.limits
        if self.standing.balance_micros < depleted_below:
            self.depleted = True
        elif self.standing.balance_micros >= resume_above:
            self.depleted = False

    def decide(self, command: Command, now: datetime) -> Change:
        """Return what the command does to the wallet as it stands, or raise Refused."""
        require_valid(command)
        if isinstance(command, Referenced) and command.reference_id in self.done:
            require_same_content(self.done[command.reference_id], command)
            return Change(self.money)
        match command:
            case DebitRequest() | CreditRequest() | AdjustBalanceRequest():
                return self._move(command)
            case PlaceHoldRequest():
                return self._place(command, now)
            case CaptureHoldRequest() | ReleaseHoldRequest():
                return self._use_hold(command, now)
            case ExpireHolds():
                return self._expire(command)
            case ApplyPaymentRequest():
                return self._apply(command)
            case FreezeWalletRequest() | UnfreezeWalletRequest() | ReportSubscriptionRequest():
                return self._change_freezes(command)
            case UpdateWalletRequest():
                limits = (command.depleted_below_micros, command.resume_above_micros)
                return Change(self.money, limits=limits)
            case _:
                assert_never(command)

    def _move(self, command: DebitRequest | CreditRequest | AdjustBalanceRequest) -> Change:
        self._require_currency(command.currency_code)
        match command:
            case DebitRequest():
                self._require_spendable(command.amount_micros)
                kind, amount = "DEBIT", -command.amount_micros
            case CreditRequest():
                kind, amount = CreditType.Name(command.type), command.amount_micros
            case AdjustBalanceRequest():
                self._require_available(-command.delta_micros)
                kind, amount = "ADJUSTMENT", command.delta_micros
        self._require_room(amount)
        return Change(
            self.money.moved(position=amount), {kind.removeprefix("CREDIT_TYPE_"): amount}
        )

    def _place(self, command: PlaceHoldRequest, now: datetime) -> Change:
        self._require_currency(command.currency_code)
        self._require_spendable(command.amount_micros)
        return Change(
            self.money.moved(on_hold=command.amount_micros),
            {"HOLD": command.amount_micros},
            holds=(Hold(command, now + command.ttl.ToTimedelta(), command.amount_micros),),
        )

    def hold_at(self, reference_id: str, now: datetime) -> Hold:
        """Return a hold as it stands at a time. One that holds nothing expires without a trace."""
        if reference_id not in self.holds:
            raise Refused("HOLD_NOT_FOUND", holdReferenceId=reference_id)
        hold = self.holds[reference_id]
        empty = hold.state == HOLD_STATE_OPEN and hold.remaining_micros == 0
        if empty and now >= hold.expire_time:
            return replace(hold, state=HOLD_STATE_EXPIRED)
        return hold

    def _use_hold(self, command: CaptureHoldRequest | ReleaseHoldRequest, now: datetime) -> Change:
        hold = self.hold_at(command.hold_reference_id, now)
        if isinstance(command, CaptureHoldRequest):
            return self._capture(hold, command, now)
        if hold.state == HOLD_STATE_CAPTURED:
            raise hold_not_open(hold)
        released = replace(hold, remaining_micros=0, state=HOLD_STATE_RELEASED)
        return self._free(hold, released, "RELEASE")

    def _capture(self, hold: Hold, command: CaptureHoldRequest, now: datetime) -> Change:
        amount = command.amount_micros
        left = self._left_to_capture(hold, now)
        may_exceed = command.allow_excess and hold.state == HOLD_STATE_OPEN
        if amount > left and not may_exceed:
            raise Refused("CAPTURE_EXCEEDS_HOLD", remainingMicros=left, requestedMicros=amount)
        taken = min(amount, hold.remaining_micros)
        captured = replace(
            hold,
            remaining_micros=hold.remaining_micros - taken,
            captured_micros=hold.captured_micros + amount,
        )
        money = self.money.moved(position=-amount, on_hold=-taken)
        change = Change(money, {"CAPTURE": -amount}, holds=(captured,))
        if not command.final:
            return change
        ended = replace(captured, remaining_micros=0, state=HOLD_STATE_CAPTURED)
        return self._free(captured, ended, "RELEASE", change)

    def _left_to_capture(self, hold: Hold, now: datetime) -> int:
        if hold.state == HOLD_STATE_OPEN:
            return hold.remaining_micros
        if hold.state == HOLD_STATE_EXPIRED and now < hold.expire_time + self.late_capture_window:
            return max(0, hold.placed.amount_micros - hold.captured_micros)
        raise hold_not_open(hold)

    def _expire(self, command: ExpireHolds) -> Change:
        change = Change(self.money)
        for reference_id in command.hold_reference_ids:
            hold = self.holds[reference_id]
            expired = replace(hold, remaining_micros=0, state=HOLD_STATE_EXPIRED)
            change = self._free(hold, expired, "EXPIRY", change)
        return change

    def _free(self, before: Hold, after: Hold, kind: str, change: Change | None = None) -> Change:
        """Let go of what the hold still has, on top of another change."""
        change = change or Change(self.money)
        freed = before.remaining_micros
        amounts = {kind: change.amounts.get(kind, 0) - freed} if freed else {}
        return Change(
            change.money.moved(on_hold=-freed),
            {**change.amounts, **amounts},
            holds=(*change.holds, after),
        )

    def _apply(self, command: ApplyPaymentRequest) -> Change:
        self._require_currency(command.currency_code)
        before = self.payments.get(command.payment_id, ApplyPaymentRequest())
        if command.revision == before.revision and command != before:
            raise Refused("REFERENCE_CONFLICT", heldRevision=before.revision)
        if command.revision <= before.revision:
            return Change(self.money)
        credited = command.credited_micros - before.credited_micros
        reversed_ = command.reversed_micros - before.reversed_micros
        at_risk = command.at_risk_micros - before.at_risk_micros
        self._require_room(max(0, credited) + max(0, -reversed_) - self.standing.owed_micros)
        moved = {
            "PAYMENT": max(0, credited),
            "REVERSAL": min(0, credited) - max(0, reversed_),
            "REVERSAL_RETURNED": max(0, -reversed_),
        }
        key = (FREEZE_REASON_DISPUTE, command.payment_id)
        freezes = self.freezes | {key} if command.blocks_spending else self.freezes - {key}
        return Change(
            self.money.moved(position=credited - reversed_, at_risk=at_risk),
            {kind: amount for kind, amount in moved.items() if amount} | self._turned(freezes),
            payment=command,
            freezes=freezes,
        )

    def _change_freezes(
        self, command: FreezeWalletRequest | UnfreezeWalletRequest | ReportSubscriptionRequest
    ) -> Change:
        revision = None
        match command:
            case FreezeWalletRequest():
                freezes = self.freezes | {(command.reason, command.reference_id)}
            case UnfreezeWalletRequest():
                freezes = self.freezes - {(command.reason, command.reference_id)}
            case ReportSubscriptionRequest():
                if command.revision <= self.subscription_revision:
                    return Change(self.money)
                inactive = (FREEZE_REASON_SUBSCRIPTION_INACTIVE, "")
                good, revision = command.good_standing, command.revision
                freezes = self.freezes - {inactive} if good else self.freezes | {inactive}
        return Change(
            self.money, self._turned(freezes), freezes=freezes, subscription_revision=revision
        )

    def _turned(self, freezes: frozenset[FreezeKey]) -> dict[str, int]:
        if freezes == self.freezes:
            return {}
        return {"FREEZE": 0} if freezes > self.freezes else {"UNFREEZE": 0}

    def _require_currency(self, currency_code: str) -> None:
        if currency_code != self.currency_code:
            raise Refused("CURRENCY_MISMATCH")

    def _require_spendable(self, amount_micros: int) -> None:
        if self.freezes:
            reasons = ",".join(sorted(freeze_reasons(self.freezes)))
            raise Refused("WALLET_FROZEN", freezeReasons=reasons)
        self._require_available(amount_micros)

    def _require_available(self, amount_micros: int) -> None:
        available = self.standing.available_micros
        if amount_micros > max(0, available):
            raise Refused(
                "INSUFFICIENT_FUNDS", availableMicros=available, requestedMicros=amount_micros
            )

    def _require_room(self, amount_micros: int) -> None:
        if self.standing.balance_micros + amount_micros > MICROS_MAX:
            raise Refused("BALANCE_LIMIT_EXCEEDED")


def freeze_reasons(freezes: frozenset[FreezeKey]) -> frozenset[str]:
    """Return the reasons' names, each once."""
    names = (FreezeReason.Name(FreezeReason.ValueType(reason)) for reason, _ in freezes)
    return frozenset(name.removeprefix("FREEZE_REASON_") for name in names)


def hold_not_open(hold: Hold) -> Refused:
    """Say that the hold has ended."""
    state = HoldState.Name(hold.state).removeprefix("HOLD_STATE_")
    return Refused("HOLD_NOT_OPEN", holdReferenceId=hold.placed.reference_id, state=state)


def require_valid(command: Command) -> None:
    """Refuse what makes no sense in any state."""
    match command:
        case DebitRequest() | CreditRequest() | CaptureHoldRequest():
            valid = command.amount_micros > 0
        case PlaceHoldRequest():
            valid = command.amount_micros > 0 and TTL_MIN <= command.ttl.ToTimedelta() <= TTL_MAX
        case AdjustBalanceRequest():
            valid = command.delta_micros != 0
        case ApplyPaymentRequest():
            valid = 0 <= command.reversed_micros <= command.credited_micros
        case _:
            valid = True
    if not valid:
        raise Refused("INVALID_ARGUMENT")


def require_same_content(first: Referenced, command: Referenced) -> None:
    """Refuse other content under a reference that has had its effect, and name the fields."""
    if type(first) is not type(command):
        raise Refused("REFERENCE_CONFLICT", referenceId=command.reference_id)
    names = [each.name for each in command.DESCRIPTOR.fields]
    differing = [name for name in names if getattr(first, name) != getattr(command, name)]
    if differing:
        raise Refused(
            "REFERENCE_CONFLICT",
            referenceId=command.reference_id,
            differingFields=",".join(sorted(differing)),
        )
