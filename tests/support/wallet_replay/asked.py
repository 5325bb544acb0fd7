"""Which commands an entry can come from, and what it tells of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile
from operator import add

from tests.support.wallet_load.history import Call
from tests.support.wallet_model.entries import DERIVED, kind_of
from tests.support.wallet_model.values import Command, ExpireHolds, Referenced
from tests.support.wallet_replay.order import content_key
from tollgate.billing_gateway.v1.subscription_observer_service_pb2 import ReportSubscriptionRequest
from tollgate.wallet.v1.wallet_pb2 import FREEZE_REASON_SUBSCRIPTION_INACTIVE, Entry
from tollgate.wallet.v1.wallet_service_holds_pb2 import PlaceHoldRequest, ReleaseHoldRequest
from tollgate.wallet.v1.wallet_service_pb2 import (
    ApplyPaymentRequest,
    FreezeWalletRequest,
    UnfreezeWalletRequest,
)

# An entry's field, and what it is called in a command.
ALWAYS_TOLD = {"reference_id": "reference_id", "payment_id": "payment_id"}
TOLD = ALWAYS_TOLD | {
    "hold_reference_id": "hold_reference_id",
    "metadata": "metadata",
    "actor": "actor",
    "freeze_reason": "reason",
}
DESCRIPTIONS = ("description", "justification", "note")


class Asked:
    """All that was asked of one wallet, each content once, by what its entries tell of it."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._commands: dict[tuple[str, ...], list[Command]] = defaultdict(list)
        self._answers: dict[int, tuple[Command, int]] = {}
        requests: dict[bytes, Command] = {}
        for call in calls:
            if call.entries:
                first, last = call.entries[0].sequence, call.entries[-1].sequence
                self._answers[first] = (call.request, last)
            if not (is_level_without_entry(call) and call.attempt_count == 1):
                requests[content_key(call.request)] = call.request
        for request in requests.values():
            self._commands[key_of(request)].append(request)

    def commands_behind(self, entries: Sequence[Entry]) -> Sequence[Command]:
        """Return the commands that may have written the first of the entries as their first."""
        entry = entries[0]
        if entry.sequence in self._answers:
            return [self._answers[entry.sequence][0]]
        kind = kind_of(entry)
        if kind == "EXPIRY":
            return list(expiries(entries))
        if entry.freeze_reason == FREEZE_REASON_SUBSCRIPTION_INACTIVE:
            return self._commands["subscription",]
        if kind in ("FREEZE", "UNFREEZE"):
            callers = self._commands[kind, str(entry.freeze_reason), entry.reference_id]
            return callers or self._commands["payment", entry.reference_id]
        if entry.payment_id:
            return self._commands["payment", entry.payment_id]
        if entry.reference_id:
            return self._commands["reference", entry.reference_id]
        return self._commands["release", entry.hold_reference_id]

    def are_whole(self, entries: Sequence[Entry], after: Sequence[Entry]) -> bool:
        """Tell whether these are all of a command's entries: by its answer, or by what follows."""
        first, last = entries[0].sequence, entries[-1].sequence
        if first in self._answers:
            return self._answers[first][1] == last
        return not any(kind_of(entry) in DERIVED and not entry.payment_id for entry in after)


def is_level_without_entry(call: Call) -> bool:
    """Tell whether it is a payment's level that, by its answer, wrote nothing."""
    return call.accepted and isinstance(call.request, ApplyPaymentRequest) and not call.entries


def key_of(request: object) -> tuple[str, ...]:
    """Return what the first entries of a request's kind have in common."""
    if isinstance(request, Referenced):
        return "reference", request.reference_id
    match request:
        case ApplyPaymentRequest():
            return "payment", request.payment_id
        case ReleaseHoldRequest():
            return "release", request.hold_reference_id
        case FreezeWalletRequest():
            return "FREEZE", str(request.reason), request.reference_id
        case UnfreezeWalletRequest():
            return "UNFREEZE", str(request.reason), request.reference_id
        case ReportSubscriptionRequest():
            return ("subscription",)
        case _:
            return ("nothing",)


def expiries(entries: Sequence[Entry]) -> Iterator[ExpireHolds]:
    """Yield how many holds may have expired together."""
    together = takewhile(lambda entry: kind_of(entry) == "EXPIRY", entries)
    return map(ExpireHolds, accumulate(((entry.hold_reference_id,) for entry in together), add))


def tells_of(entry: Entry, command: Command) -> bool:
    """Tell whether the entry has what the command gave it."""
    own = kind_of(entry) not in DERIVED
    if isinstance(command, PlaceHoldRequest) and entry.hold_reference_id != command.reference_id:
        return False
    if isinstance(command, ApplyPaymentRequest):
        ids = (entry.payment_id, entry.reference_id)
        described = entry.description == command.description
        return command.payment_id in ids and (described or not own)
    names = TOLD if own else ALWAYS_TOLD
    descriptions = [getattr(command, name) for name in DESCRIPTIONS if hasattr(command, name)]
    return all(
        getattr(entry, name) == getattr(command, given)
        for name, given in names.items()
        if hasattr(command, given)
    ) and (not own or not descriptions or entry.description in descriptions)
