"""Who asked what, and what was answered."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import grpc

from tests.support.errors import Refusal, read_refusal, read_status
from tests.support.wallet_load.doors import Door
from tollgate.wallet.v1.wallet_pb2 import Entry
from tollgate.wallet.v1.wallet_service_pb2 import BatchDebitRequest, BatchDebitResponse

ANSWER_TIMEOUT_SECONDS = 120.0
ATTEMPTS_MAX = 20


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its answer. Moments are numbers in the order of what the callers saw."""

    request: Any
    answer: Any
    started: int
    answered: int
    start_time: datetime
    answer_time: datetime
    attempt_count: int

    @property
    def accepted(self) -> bool:
        """Whether it was answered, not refused."""
        return not isinstance(self.answer, Refusal)

    @property
    def entries(self) -> list[Entry]:
        """The entries in the answer."""
        if hasattr(self.answer, "entry"):
            return [self.answer.entry]
        return list(getattr(self.answer, "entries", ()))

    @property
    def entry_count(self) -> int:
        """How far the ledger had come, by what the answer tells."""
        wallet = getattr(self.answer, "wallet", None)
        return wallet.entry_count if wallet is not None else 0


@dataclass
class History:
    """Sends requests until they are answered, and remembers. Batches count if any debit did."""

    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    batch_count: int = 0
    lost_count: int = 0
    _moments: Iterator[int] = field(default_factory=count)

    async def ask(self, door: Door, request: Any) -> Any:
        """Send the request, again with the same reference while the answer is lost."""
        started, start_time = self._next_moment(), datetime.now(UTC)
        attempt_count, answer = 1, await self._send(door, request)
        while is_lost(answer) and attempt_count < ATTEMPTS_MAX:
            self.lost_count += 1
            attempt_count, answer = attempt_count + 1, await self._send(door, request)
        moments = (started, self._next_moment(), start_time, datetime.now(UTC))
        self._remember(request, answer, *moments, attempt_count)
        return answer

    async def _send(self, door: Door, request: Any) -> Any:
        try:
            return await door.method_for(request)(
                request, timeout=ANSWER_TIMEOUT_SECONDS, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            return read_refusal(error)

    def _remember(self, request: Any, answer: Any, *rest: Any) -> None:
        if not isinstance(request, BatchDebitRequest):
            self.calls[request.organization_id].append(Call(request, answer, *rest))
            return
        if isinstance(answer, BatchDebitResponse):
            self.batch_count += any(result.HasField("response") for result in answer.results)
        for debit, outcome in zip(request.debits, outcomes(request, answer), strict=True):
            self.calls[debit.organization_id].append(Call(debit, outcome, *rest))

    def _next_moment(self) -> int:
        return next(self._moments)


def is_lost(answer: object) -> bool:
    """Tell whether the answer, or one of a batch's answers, leaves open what was done."""
    if isinstance(answer, BatchDebitResponse):
        return any(is_lost(read_status(it.error)) for it in answer.results if it.HasField("error"))
    return isinstance(answer, Refusal) and answer.code is grpc.StatusCode.UNAVAILABLE


def outcomes(request: BatchDebitRequest, answer: BatchDebitResponse | Refusal) -> list[Any]:
    """Return each debit's own answer."""
    if isinstance(answer, Refusal):
        return [answer] * len(request.debits)
    return [
        result.response if result.HasField("response") else read_status(result.error)
        for result in answer.results
    ]
