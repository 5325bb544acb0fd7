"""Takes the commands of all callers, and carries them out in batches.

Commands that arrive while a transaction is in flight ride together in the next one; a lone command
waits for nothing. A wallet is in one batch at a time. A batch waits for no lock: a wallet that
somebody else has locked is waited for in a lane of its own, so that it holds up nobody else.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from typing import NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Gauge, Histogram

from libs.announcing.announcer import Announcer
from libs.announcing.ports import LevelKey
from libs.database import Connection, Database, DatabaseUnavailableError
from libs.errors import OverloadedError
from libs.gathering import Gathering
from libs.levels import WalletLevel
from libs.logs import enter_work_on, get_logger
from libs.tracing import cause, working
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.commands import Command
from services.wallet.domain.draft import Effect
from services.wallet.operations.batch import Batch, Outcomes, Work
from services.wallet.operations.locks import name_lock_holder
from services.wallet.operations.spending import Spending
from services.wallet.storage.entries import ReferenceUsedError

COMMANDS_PER_BATCH_MAX = 1000
BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, COMMANDS_PER_BATCH_MAX)
LANES_MAX = 4
CHANGED_MAX = 100_000
RETRY_AFTER_SECONDS = 0.5

# What a command came to: its effect, the DomainError that refuses it, or a defect.
Answer: TypeAlias = Effect | Exception
Attempt: TypeAlias = Callable[[Batch, Work], Awaitable[Outcomes]]


class EngineLimits(NamedTuple):
    """How many commands may wait, in all and for one wallet; how many wallets a batch may have."""

    commands_max: int
    commands_per_wallet_max: int
    wallets_per_batch_max: int
    batches_at_once_max: int


class Submission:
    """What one caller asks for: one command, or many that are independent of each other."""

    __slots__ = ("_open_count", "answered", "answers", "cause")

    def __init__(self, count: int) -> None:
        self.answers: list[Answer] = [RuntimeError("not answered yet")] * count
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.cause = cause()
        self._open_count = count

    def answer(self, position: int, answer: Answer) -> None:
        """Note one answer; the last one wakes the caller, if there still is one."""
        self.answers[position] = answer
        self._open_count -= 1
        if not self._open_count and not self.answered.done():
            self.answered.set_result(None)


class Ticket(NamedTuple):
    """One command on its way."""

    submission: Submission
    position: int
    command: Command


Tickets: TypeAlias = Mapping[str, Sequence[Ticket]]


class Engine:
    """The one write path."""

    def __init__(
        self,
        database: Database,
        announcer: Announcer[WalletLevel],
        keys: ChainKeys,
        limits: EngineLimits,
        *,
        spending: Spending,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._announcer = announcer
        self._keys = keys
        self._limits = limits
        self._spending = spending
        self._waiting: dict[str, deque[Ticket]] = {}
        self._waiting_count = 0
        # In use by a batch or a lane, and waiting for a lane.
        self._busy: set[str] = set()
        self._held: dict[str, None] = {}
        self._batch_count = 0
        self._lane_count = 0
        self._gathering = Gathering(lambda: self._waiting_count, self._start)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed: set[str] = set()
        self._batch_sizes = Histogram(
            "tollgate_wallet_batch_commands",
            "Commands that were carried out in one transaction.",
            registry=registry,
            buckets=BATCH_BUCKETS,
        )
        Gauge(
            "tollgate_wallet_queue_commands",
            "Commands that wait to be carried out.",
            registry=registry,
        ).set_function(lambda: self._waiting_count)

    async def execute(self, organization_id: str, command: Command) -> Effect:
        """Carry out one command, or raise the DomainError that refuses it."""
        (answer,) = await self.execute_all([(organization_id, command)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def execute_all(self, commands: Sequence[tuple[str, Command]]) -> list[Answer]:
        """Carry out commands that are independent of each other; answer in their order.

        Raises OverloadedError, before anything is done, if there is no room for all of them.
        """
        if not commands:
            return []
        submission = Submission(len(commands))
        tickets: dict[str, list[Ticket]] = {}
        for position, (organization_id, command) in enumerate(commands):
            ticket = Ticket(submission, position, command)
            tickets.setdefault(organization_id, []).append(ticket)
        try:
            self._require_room(tickets, len(commands))
        except OverloadedError as error:
            for _, command in commands:
                self._spending.count(command, error)
            raise
        for organization_id, own in tickets.items():
            self._waiting.setdefault(organization_id, deque()).extend(own)
        self._waiting_count += len(commands)
        self._gathering.note_arrival()
        await submission.answered
        return submission.answers

    def changed_organizations(self) -> set[str]:
        """Return whose wallets have changed since this was asked last."""
        changed, self._changed = self._changed, set()
        return changed

    def _require_room(self, tickets: Tickets, count: int) -> None:
        limits, waiting = self._limits, self._waiting
        if self._waiting_count + count > limits.commands_max or any(
            len(own) + len(waiting.get(organization_id, ())) > limits.commands_per_wallet_max
            for organization_id, own in tickets.items()
        ):
            raise OverloadedError("too many commands wait already", RETRY_AFTER_SECONDS)

    def _start(self) -> None:
        while self._batch_count < self._limits.batches_at_once_max and (free := self._take_free()):
            self._batch_count += 1
            self._gathering.note_start(_count_callers(free))
            self._run(self._run_batch(free))
        while self._lane_count < LANES_MAX and (held := self._take_held()):
            self._lane_count += 1
            self._run(self._run_lane(held))

    def _run(self, work: Coroutine[None, None, None]) -> None:
        # Not in the context of the call that happens to start it: its log lines are of many.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            get_logger().critical("engine_defect", exc_info=error)

    def _take_free(self) -> Tickets:
        taken: dict[str, Sequence[Ticket]] = {}
        room = COMMANDS_PER_BATCH_MAX
        for name in [n for n in self._waiting if n not in self._busy and n not in self._held]:
            if tickets := self._take(name, room):
                taken[name] = tickets
                room -= len(tickets)
            if not room or len(taken) == self._limits.wallets_per_batch_max:
                break
        return taken

    def _take_held(self) -> Tickets:
        while name := next((name for name in self._held if name not in self._busy), None):
            del self._held[name]
            if tickets := self._take(name, COMMANDS_PER_BATCH_MAX):
                return {name: tickets}
        return {}

    def _take(self, name: str, room: int) -> list[Ticket]:
        """Take from a wallet's queue, dropping what nobody waits for any more."""
        queue = self._waiting.pop(name)
        tickets: list[Ticket] = []
        while queue and len(tickets) < room:
            ticket = queue.popleft()
            self._waiting_count -= 1
            if not ticket.submission.answered.done():
                tickets.append(ticket)
        if queue:
            # Behind all others: one wallet's flood must not always be first.
            self._waiting[name] = queue
        if tickets:
            self._busy.add(name)
        return tickets

    def _put_back(self, name: str, tickets: Sequence[Ticket]) -> None:
        self._held[name] = None
        self._waiting.setdefault(name, deque()).extendleft(reversed(tickets))
        self._waiting_count += len(tickets)

    async def _run_batch(self, tickets: Tickets) -> None:
        try:
            with working("batch", _causes(tickets)):
                await self._carry_out(tickets, Batch.carry_out_free)
        finally:
            self._batch_count -= 1
            self._end(tickets)

    async def _run_lane(self, tickets: Tickets) -> None:
        enter_work_on(*tickets)
        try:
            with working("lane", _causes(tickets)):
                await self._carry_out(tickets, _wait_for_one)
        finally:
            self._lane_count -= 1
            self._end(tickets)

    def _end(self, tickets: Tickets) -> None:
        self._busy.difference_update(tickets)
        self._gathering.note_end()

    async def _carry_out(self, tickets: Tickets, attempt: Attempt) -> None:
        """Carry out and answer; what others had locked is left to a lane."""
        work = {name: [ticket.command for ticket in each] for name, each in tickets.items()}
        try:
            outcomes = await self._transact(attempt, work)
            self._answer(tickets, outcomes)
        except DatabaseUnavailableError as error:
            self._answer_all(tickets, error)
            # A lane has one wallet; a batch waits for no lock.
            if len(tickets) == 1:
                await name_lock_holder(self._database, *tickets)
        except Exception as error:  # noqa: BLE001 - a defect with one command fails no other
            await self._carry_out_parts(tickets, attempt, error)

    async def _carry_out_parts(self, tickets: Tickets, attempt: Attempt, error: Exception) -> None:
        parts = _halves(tickets)
        if not parts:
            (name,) = tickets
            get_logger().error("command_failed", organization_id=name, exc_info=error)
            self._answer_all(tickets, error)
            return
        get_logger().warning("batch_is_split", wallets=len(tickets), exc_info=error)
        for part in parts:
            await self._carry_out(part, attempt)

    async def _transact(self, attempt: Attempt, work: Work) -> Outcomes:
        with suppress(ReferenceUsedError):
            return await self._database.transact(self._attempt, attempt, work, looks_first=False)
        return await self._database.transact(self._attempt, attempt, work, looks_first=True)

    async def _attempt(
        self, connection: Connection, attempt: Attempt, work: Work, *, looks_first: bool
    ) -> Outcomes:
        batch = Batch(connection, self._keys, self._announcer, looks_first=looks_first)
        return await attempt(batch, work)

    def _answer(self, tickets: Tickets, outcomes: Outcomes) -> None:
        if count := sum(map(len, outcomes.of_wallets.values())):
            self._batch_sizes.observe(count)
        for name, answers in outcomes.of_wallets.items():
            for ticket, answer in zip(tickets[name], answers, strict=True):
                self._spending.count(ticket.command, answer)
                ticket.submission.answer(ticket.position, answer)
        for name in outcomes.held:
            self._put_back(name, tickets[name])
        for name in outcomes.changed_levels:
            self._announcer.wake(LevelKey(name))
        if len(self._changed) < CHANGED_MAX:
            self._changed.update(outcomes.changed)

    def _answer_all(self, tickets: Tickets, error: Exception) -> None:
        for each in tickets.values():
            for ticket in each:
                self._spending.count(ticket.command, error)
                ticket.submission.answer(ticket.position, error)


async def _wait_for_one(batch: Batch, work: Work) -> Outcomes:
    ((organization_id, commands),) = work.items()
    return await batch.carry_out_waiting(organization_id, commands)


def _causes(tickets: Tickets) -> Iterator[str | None]:
    return (ticket.submission.cause for each in tickets.values() for ticket in each)


def _count_callers(tickets: Tickets) -> int:
    return len({ticket.submission for each in tickets.values() for ticket in each})


def _halves(tickets: Tickets) -> list[Tickets]:
    """Return two parts of the tickets; nothing if there is only one."""
    flat = [(name, ticket) for name, each in tickets.items() for ticket in each]
    if len(flat) == 1:
        return []
    middle = len(flat) // 2
    return [_grouped(flat[:middle]), _grouped(flat[middle:])]


def _grouped(pairs: Sequence[tuple[str, Ticket]]) -> Tickets:
    grouped: dict[str, list[Ticket]] = {}
    for name, ticket in pairs:
        grouped.setdefault(name, []).append(ticket)
    return grouped
