"""What was answered to one content, however often it was asked for: one effect, one answer."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tests.support.wallet_load.history import Call
from tests.support.wallet_model.entries import kind_of
from tests.support.wallet_model.values import Referenced
from tests.support.wallet_replay.order import Order, content_key
from tollgate.wallet.v1.wallet_pb2 import Entry
from tollgate.wallet.v1.wallet_service_holds_pb2 import PlaceHoldRequest
from tollgate.wallet.v1.wallet_service_pb2 import ApplyPaymentRequest, CreditRequest


class Contents:
    """The calls of one wallet by their content, and what each content wrote."""

    def __init__(
        self,
        calls: Sequence[Call],
        order: Order,
        entries: Sequence[Entry],
        written: Mapping[bytes, Sequence[Entry]],
    ) -> None:
        self.answers: Counter[str] = Counter()
        self._accepted: dict[bytes, list[Call]] = defaultdict(list)
        for call in calls:
            if call.accepted:
                self._accepted[content_key(call.request)].append(call)
        self._order = order
        self._entries = entries
        self._written = written

    def check(self) -> None:
        """Hold every answer against what its content wrote."""
        for key, calls in self._accepted.items():
            if isinstance(calls[0].request, Referenced):
                self._check_reference(calls, self._written[key])
            elif isinstance(calls[0].request, ApplyPaymentRequest):
                self._check_level(calls, self._written.get(key, ()))

    def _check_reference(self, calls: Sequence[Call], written: Sequence[Entry]) -> None:
        repaid = -sum(it.amount_micros for it in written if kind_of(it) == "DEBT_REPAYMENT")
        for call in calls:
            if not isinstance(call.request, PlaceHoldRequest):
                assert call.entries == list(written), f"{call} wrote {written}"
            if isinstance(call.request, CreditRequest):
                assert call.answer.debt_repaid_micros == repaid, f"{call} wrote {written}"
        first = [call for call in calls if not call.answer.replayed]
        self.answers["replayed"] += len(calls) - len(first)
        self._require_one(calls, first)
        for call in first:
            assert self._order.earliest(call) < written[0].sequence, f"not its own: {call}"

    def _check_level(self, calls: Sequence[Call], written: Sequence[Entry]) -> None:
        reversals = [entry for entry in written if kind_of(entry) == "REVERSAL"]
        reversed_ = -sum(entry.amount_micros for entry in reversals)
        owed = sum(map(self._rise_of_debt, reversals))
        first = [call for call in calls if call.entries]
        for call in first:
            assert call.entries == list(written), f"{call} wrote {written}"
            told = (call.answer.collected_micros, call.answer.owed_micros)
            assert told == (reversed_ - owed, owed), f"{call} wrote {written}"
        if written:
            self._require_one(calls, first)

    def _require_one(self, calls: Sequence[Call], first: Sequence[Call]) -> None:
        """One call had the effect; which one may have been lost with its answer."""
        lost = any(call.attempt_count > 1 for call in calls)
        assert len(first) == 1 or (lost and not first), calls

    def _rise_of_debt(self, entry: Entry) -> int:
        before = self._entries[entry.sequence - 2].owed_after_micros if entry.sequence > 1 else 0
        return entry.owed_after_micros - before
