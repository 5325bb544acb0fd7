"""A ledger, read forwards: which commands it is made of, and what each did to the wallet."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations

from tests.support.wallet_load.history import Call
from tests.support.wallet_model.entries import DERIVED, follows, kind_of, standing_after
from tests.support.wallet_model.rules import WalletModel
from tests.support.wallet_model.values import Change, Command, ExpireHolds, Refused
from tests.support.wallet_replay.asked import Asked, is_level_without_entry, tells_of
from tests.support.wallet_replay.order import Order, content_key
from tollgate.wallet.v1.hold_pb2 import HOLD_STATE_EXPIRED, HOLD_STATE_OPEN
from tollgate.wallet.v1.wallet_pb2 import Entry
from tollgate.wallet.v1.wallet_service_holds_pb2 import CaptureHoldRequest, ReleaseHoldRequest
from tollgate.wallet.v1.wallet_service_pb2 import ApplyPaymentRequest, UpdateWalletRequest

# Of so many levels, at most, it is tried out whether they came before an entry.
OPEN_LEVELS_MAX = 6
# Of so many holds, at most, it is looked for whether they expired together.
TOGETHER_MAX = 600


class Ledger:
    """One wallet's entries, and the model that follows them.

    Nearly every accepted command has entries, which say where it belongs. A payment's level may
    have none (nothing is there to be kept at risk), and so may the release of a hold (nothing is
    held any more): it came somewhere between what was known when it was asked for and what its
    answer tells, and is placed where the entries make sense with it.
    """

    def __init__(
        self,
        model: WalletModel,
        entries: Sequence[Entry],
        calls: Sequence[Call],
        order: Order,
        expiry_delay_max: timedelta,
    ) -> None:
        self.model = model
        self.written: dict[bytes, Sequence[Entry]] = {}
        self.effects: Counter[str] = Counter()
        self.level_change_count = 0
        self._entries = entries
        self._asked = Asked(calls)
        self._order = order
        self._expiry_delay_max = expiry_delay_max
        self._expiring: list[tuple[datetime, str]] = []
        self._last_time = datetime.min.replace(tzinfo=UTC)
        self._limits = by_place(filter(changes_limits, calls))
        self._silent = by_place(filter(may_be_silent, calls))

    def boundaries(self) -> Iterator[int]:
        """Yield how many entries have been read, whenever the model has changed."""
        read = 0
        while True:
            yield from self._settle(read)
            if read == len(self._entries):
                return
            levels, command, end = self._find_next(read)
            for level in levels:
                self._take(level, read, read)
                yield read
            self._take(command, read, end)
            read = end

    def _settle(self, read: int) -> Iterator[int]:
        """Let what has no entry take effect where it had, at the latest."""
        while self._limits and self._limits[0].entry_count <= read:
            self._take(self._limits.pop(0).request, read, read)
        yield read
        while self._silent and self._silent[0].entry_count <= read:
            call = self._silent.pop(0)
            for command in (*self._newer_levels(call.request, read), call.request):
                assert self._leaves_no_entry(command, read), f"has no entry: {call}"
                self._take(command, read, read)
                yield read

    def _newer_levels(self, command: Command, read: int) -> list[ApplyPaymentRequest]:
        """Return what must have come before, for a level to be an old one that does nothing."""
        if not isinstance(command, ApplyPaymentRequest) or self._leaves_no_entry(command, read):
            return []
        return [
            newer
            for newer in self._open_levels(read)
            if newer.payment_id == command.payment_id and newer.revision > command.revision
        ]

    def _find_next(self, start: int) -> tuple[Sequence[Command], Command, int]:
        """Return the command behind the next entries, where they end, and what came unseen."""
        self._check_time(self._entries[start])
        money, payments = self.model.money, self.model.payments
        for levels in self._guesses(start):
            self.model.payments = dict(payments)
            for level in levels:
                self.model.take(level, self._change(level, start))
            found = [
                (command, end)
                for command in self._asked.commands_behind(
                    self._entries[start : start + TOGETHER_MAX]
                )
                if (end := self._end_of(command, start)) is not None
            ]
            self.model.money, self.model.payments = money, payments
            if found:
                return levels, *found[0]
        raise AssertionError(self._explain(start))

    def _guesses(self, start: int) -> Iterator[Sequence[ApplyPaymentRequest]]:
        """Yield which levels may have come by now without an entry."""
        yield ()
        levels = self._open_levels(start)[:OPEN_LEVELS_MAX]
        for size in range(1, len(levels) + 1):
            yield from combinations(levels, size)

    def may_be_released(self, hold_reference_id: str, read: int) -> bool:
        """Tell whether a hold that holds nothing may have been released by now."""
        return any(
            isinstance(call.request, ReleaseHoldRequest)
            and call.request.hold_reference_id == hold_reference_id
            and self._order.earliest(call) <= read
            for call in self._silent
        )

    def _open_levels(self, read: int) -> list[ApplyPaymentRequest]:
        return [
            call.request
            for call in self._silent
            if isinstance(call.request, ApplyPaymentRequest)
            and self._order.earliest(call) <= read
            and self._leaves_no_entry(call.request, read)
        ]

    def _leaves_no_entry(self, command: Command, read: int) -> bool:
        """Tell whether it could be done now without an entry."""
        try:
            change = self._change(command, read)
        except Refused:
            return False
        return not change.amounts and change.money.standing == self.model.standing

    def _end_of(self, command: Command, start: int) -> int | None:
        """Return where the entries of the command end; None if they are not its own."""
        try:
            change = self._change(command, start)
        except Refused:
            return None
        end = self._end_of_change(change, start)
        if end is None:
            return None
        entries, after = self._entries[start:end], self._entries[end : end + 1]
        whole = self._asked.are_whole(entries, after)
        return end if whole and self._may_have_written(command, entries) else None

    def _end_of_change(self, change: Change, start: int) -> int | None:
        """Return where the entries end that do what the change says; None if they do not."""
        standing, amounts, end = self.model.standing, dict[str, int](), start
        while amounts != change.amounts or standing != change.money.standing:
            if end == len(self._entries) or not follows(self._entries[end], standing):
                return None
            entry = self._entries[end]
            kind = kind_of(entry)
            if kind not in DERIVED:
                amounts[kind] = amounts.get(kind, 0) + entry.amount_micros
            if not amounts.keys() <= change.amounts.keys():
                return None
            standing, end = standing_after(entry), end + 1
        return end if end > start else None

    def _may_have_written(self, command: Command, entries: Sequence[Entry]) -> bool:
        if any(entry.create_time != entries[0].create_time for entry in entries):
            return False
        if isinstance(command, ExpireHolds):
            return True
        told = all(tells_of(entry, command) for entry in entries)
        return told and self._order.may_have_written(command, entries)

    def _take(self, command: Command, start: int, end: int) -> None:
        change, entries = self._change(command, start), self._entries[start:end]
        if change != Change(self.model.money):
            self._count(command, change, entries)
        level = self.model.level
        self.model.take(command, change)
        self.level_change_count += self.model.level != level
        for hold in change.holds:
            heapq.heappush(self._expiring, (hold.expire_time, hold.placed.reference_id))
        if not isinstance(command, ExpireHolds) and entries:
            self.written[content_key(command)] = entries

    def _count(self, command: Command, change: Change, entries: Sequence[Entry]) -> None:
        self.effects[type(command).__name__.removesuffix("Request")] += 1
        self.effects.update(kind_of(entry) for entry in entries)
        if change.money.standing.owed_micros > self.model.standing.owed_micros:
            self.effects[f"debt by {type(command).__name__.removesuffix('Request')}"] += 1
        if isinstance(command, CaptureHoldRequest):
            hold = self.model.hold_at(command.hold_reference_id, time_of(entries[0]))
            excess = hold.state == HOLD_STATE_OPEN and command.amount_micros > hold.remaining_micros
            self.effects["late capture"] += hold.state == HOLD_STATE_EXPIRED
            self.effects["excess capture"] += excess
            self.effects["final capture"] += command.final

    def _check_time(self, entry: Entry) -> None:
        """Time goes on; a hold expires after its time, and before all else that comes after it."""
        now = time_of(entry)
        assert now >= self._last_time, f"earlier than the one before: {entry}"
        self._last_time = now
        if kind_of(entry) == "EXPIRY":
            delay = now - self.model.holds[entry.hold_reference_id].expire_time
            assert timedelta(0) <= delay <= self._expiry_delay_max, f"after {delay}: {entry}"
            return
        while self._expiring and not self._holds_anything(self._expiring[0][1]):
            heapq.heappop(self._expiring)
        if self._expiring:
            expire_time, reference_id = self._expiring[0]
            assert now < expire_time, f"{reference_id} should have expired before {entry}"

    def _holds_anything(self, hold_reference_id: str) -> bool:
        return self.model.holds[hold_reference_id].remaining_micros > 0

    def _change(self, command: Command, read: int) -> Change:
        """Return what the command does at the time of the entry that comes next."""
        entry = self._entries[min(read, len(self._entries) - 1)]
        return self.model.decide(command, time_of(entry))

    def _explain(self, start: int) -> str:
        """Say what was expected where no command fits."""
        lines = [
            f"no command explains entry {start + 1}; {self.model}",
            *(f"entry: {entry}" for entry in self._entries[max(0, start - 2) : start + 4]),
        ]
        for command in self._asked.commands_behind(self._entries[start : start + TOGETHER_MAX]):
            try:
                expected: object = self._change(command, start)
            except Refused as refused:
                expected = refused
            fits = self._may_have_written(command, self._entries[start : start + 1])
            lines.append(f"asked: {command}, expected: {expected}, tells of it in time: {fits}")
        return "\n".join(lines)


def by_place(calls: Iterable[Call]) -> list[Call]:
    """Return the calls in the order in which they took effect, at the latest."""
    return sorted(calls, key=lambda call: call.entry_count)


def changes_limits(call: Call) -> bool:
    """Tell whether it changed when the wallet is depleted."""
    return call.accepted and isinstance(call.request, UpdateWalletRequest)


def may_be_silent(call: Call) -> bool:
    """Tell whether what it did, if anything, may have left no entry."""
    released = call.accepted and isinstance(call.request, ReleaseHoldRequest)
    return released or is_level_without_entry(call)


def time_of(entry: Entry) -> datetime:
    """Return when the entry was written."""
    return entry.create_time.ToDatetime(tzinfo=UTC)
