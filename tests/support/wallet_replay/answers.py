"""What was answered about one wallet, held against the model at the place where it belongs."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tests.support.wallet_load.history import Call
from tests.support.wallet_model.values import Hold, Referenced, Refused, Standing
from tests.support.wallet_replay.ledger import Ledger, changes_limits
from tests.support.wallet_replay.order import Order
from tollgate.wallet.v1 import hold_pb2
from tollgate.wallet.v1.hold_pb2 import HOLD_STATE_RELEASED
from tollgate.wallet.v1.wallet_service_holds_pb2 import GetHoldRequest, ReleaseHoldRequest
from tollgate.wallet.v1.wallet_service_pb2 import (
    ApplyPaymentRequest,
    DebitRequest,
    FreezeWalletRequest,
    GetWalletRequest,
    UnfreezeWalletRequest,
)


class Answers:
    """What has been answered and not been met yet.

    A wallet in an answer says where it belongs: its entry_count. All else that was said must be
    right somewhere between what was known when it was asked for and when it was heard.
    """

    def __init__(self, ledger: Ledger, calls: Sequence[Call], order: Order) -> None:
        self.refusals: Counter[str] = Counter()
        self._ledger = ledger
        self._model = ledger.model
        self._order = order
        self._placed: dict[int, list[Call]] = defaultdict(list)
        for call in calls:
            if has_place(call):
                self._placed[call.entry_count].append(call)
        self._ahead = sorted(calls, key=self._first_place, reverse=True)
        self._open: list[Call] = []
        self._limit_changes = [
            (order.earliest(call), call.entry_count) for call in calls if changes_limits(call)
        ]
        self._level_seen: tuple[int, int] | None = None

    def meet(self, boundary: int) -> None:
        """Check what was answered here, the wallet being what the model is now."""
        for call in self._placed.pop(boundary, ()):
            self._check_wallet(call)
            self._check_level(call)
        while self._ahead and self._first_place(self._ahead[-1]) <= boundary:
            self._open.append(self._ahead.pop())
        self._open = [call for call in self._open if not self._may_be_right(call, boundary)]
        for call in self._open:
            last = call.entry_count or self._order.latest(call)
            assert boundary < last, f"never right up to {last}: {call}; {self._model}"

    def _first_place(self, call: Call) -> int:
        written = call.entries[-1].sequence if call.entries else 0
        return max(written, self._order.earliest(call))

    def finish(self) -> None:
        """Demand that everything has been met."""
        within = {place: calls[0] for place, calls in self._placed.items()}
        assert not within, f"answered with half a command done: {within}"
        assert not self._ahead, f"answered from the future: {self._ahead}"
        assert not self._open, f"never right: {self._open}"

    def _check_wallet(self, call: Call) -> None:
        wallet, model = call.answer.wallet, self._model
        seen = Standing(wallet.balance_micros, wallet.held_micros, wallet.owed_micros)
        assert seen == model.standing, f"{call}, expected {model.standing}"
        assert wallet.available_micros == model.standing.available_micros, call
        assert wallet.currency_code == model.currency_code, call
        assert wallet.frozen == bool(model.freezes), f"{call}, expected {model.freezes}"
        # Left out in answers to a batch.
        if wallet.freezes or not isinstance(call.request, DebitRequest):
            freezes = {(each.reason, each.reference_id) for each in wallet.freezes}
            assert freezes == model.freezes, f"{call}, expected {model.freezes}"

    def _check_level(self, call: Call) -> None:
        """The revision grows when the level changes, and only then."""
        if changes_limits(call):
            self._adopt(call)
        elif not any(first <= call.entry_count <= last for first, last in self._limit_changes):
            wallet, model = call.answer.wallet, self._model
            assert (wallet.depleted_below_micros, wallet.resume_above_micros) == model.limits, call
            assert wallet.depleted == model.depleted, f"{call}, expected {model.depleted}"
            self._check_revision(call)

    def _check_revision(self, call: Call) -> None:
        changes, revision = self._ledger.level_change_count, call.answer.wallet.revision
        if self._level_seen is not None:
            changes_seen, revision_seen = self._level_seen
            grown = revision > revision_seen
            assert grown == (changes > changes_seen), f"{call}, expected {self._model.level}"
        self._level_seen = changes, revision

    def _adopt(self, call: Call) -> None:
        """Believe whether it is depleted where that hangs on the moment at which limits changed."""
        wallet, limits = call.answer.wallet, self._model.limits
        asked = (call.request.depleted_below_micros, call.request.resume_above_micros)
        assert (wallet.depleted_below_micros, wallet.resume_above_micros) == asked, call
        if limits[0] <= wallet.balance_micros < limits[1]:
            self._model.depleted = wallet.depleted
        self._level_seen = None

    def _may_be_right(self, call: Call, boundary: int) -> bool:
        """Tell whether the answer is what the model would say now."""
        # A repeated PlaceHold tells of its hold as well, whose id is its own reference.
        own = getattr(call.request, "reference_id", "")
        hold = self._model.holds.get(getattr(call.request, "hold_reference_id", own))
        # The time can turn under way, twice: is a hold that holds nothing open, may it be captured
        # late?
        times = {call.start_time, call.answer_time}
        if hold is not None and call.start_time < hold.expire_time < call.answer_time:
            times.add(hold.expire_time)
        if any(self._is_right(call, time) for time in times):
            return True
        if hold is None or not self._ledger.may_be_released(hold.placed.reference_id, boundary):
            return False
        released = replace(hold, remaining_micros=0, state=HOLD_STATE_RELEASED)
        self._model.holds[hold.placed.reference_id] = released
        try:
            return self._is_right(call, call.answer_time)
        finally:
            self._model.holds[hold.placed.reference_id] = hold

    def _is_right(self, call: Call, now: datetime) -> bool:
        if call.accepted:
            return self._is_done(call, now)
        if isinstance(call.request, GetHoldRequest):
            return call.request.hold_reference_id not in self._model.holds
        return not isinstance(call.request, GetWalletRequest) and self._refuses(call, now)

    def _is_done(self, call: Call, now: datetime) -> bool:
        request, model = call.request, self._model
        if hasattr(call.answer, "hold") and not self._is_hold(call, now):
            return False
        if isinstance(request, Referenced):
            return model.done.get(request.reference_id) == request
        match request:
            case ApplyPaymentRequest():
                return bool(call.answer.stored_revision >= request.revision)
            case ReleaseHoldRequest():
                return bool(call.answer.hold.state == HOLD_STATE_RELEASED)
            case FreezeWalletRequest():
                return (request.reason, request.reference_id) in model.freezes
            case UnfreezeWalletRequest():
                return (request.reason, request.reference_id) not in model.freezes
            case _:
                return True

    def _refuses(self, call: Call, now: datetime) -> bool:
        try:
            self._model.decide(call.request, now)
        except Refused as refused:
            told = in_order(call.answer.metadata)
            if refused.reason == call.answer.reason and refused.metadata.items() <= told.items():
                self.refusals[f"{refused.reason} {refused.metadata.get('state', '')}".strip()] += 1
                return True
        return False

    def _is_hold(self, call: Call, now: datetime) -> bool:
        told: hold_pb2.Hold = call.answer.hold
        if told.reference_id not in self._model.holds:
            return False
        holds = [self._model.hold_at(told.reference_id, now)]
        if isinstance(call.request, GetHoldRequest):
            # Who only looks may see it before its time has been acted on.
            holds.append(self._model.holds[told.reference_id])
        return any(is_told(hold, told) for hold in holds)


def is_told(hold: Hold, told: hold_pb2.Hold) -> bool:
    """Tell whether the answer tells of the hold as it is."""
    return (
        told.amount_micros == hold.placed.amount_micros
        and told.captured_micros == hold.captured_micros
        and told.expire_time.ToDatetime(tzinfo=UTC) == hold.expire_time
        and (told.state, told.remaining_micros) == (hold.state, hold.remaining_micros)
    )


def has_place(call: Call) -> bool:
    """Tell whether the answer says where in the ledger it belongs."""
    return call.accepted and hasattr(call.answer, "wallet")


def in_order(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata with lists in a fixed order."""
    return {name: ",".join(sorted(value.split(","))) for name, value in metadata.items()}
