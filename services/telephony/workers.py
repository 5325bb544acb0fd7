"""The service's loops: driving Twilio, and suspending what has lapsed."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from libs.gauging import Gauging
from libs.workers import PollingWorker, Worker
from services.telephony.config import TelephonySettings
from services.telephony.domain.aftermath import AftermathAnswer
from services.telephony.domain.reconciling import Answer
from services.telephony.domain.trouble import Call
from services.telephony.domain.values import DueSearch, Work
from services.telephony.operations.aftermath import Ending
from services.telephony.operations.claiming import Claim, Claiming
from services.telephony.operations.creating import Creation
from services.telephony.operations.driving import Driving
from services.telephony.operations.organizations import OrganizationOperations
from services.telephony.operations.overview import Overview
from services.telephony.operations.recording import Outcome, Recording
from services.telephony.operations.trouble import TwilioTrouble

# Accounts are made now and then; more at once would be of use to nobody.
PROVISIONS_AT_ONCE = 2
Turn: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]


@dataclass
class Lane:
    """One kind of work: what is claimed, how many calls it has, and how many it may have.

    Suspensions are claimed ahead, as many as may be called for, so that no slot waits for a claim.
    Nothing else is: a claim that waits would keep a suspension of the same subaccount waiting.
    """

    work: Work
    calls_max: int
    ahead_max: int
    call_count: int = 0
    may_have_more: bool = True
    waiting: deque[Claim] = field(default_factory=deque)

    def room(self, free_slot_count: int) -> int:
        """Return how many to claim; none while enough wait, so that a claim is of many."""
        if len(self.waiting) > self.ahead_max // 2:
            return 0
        callable_count = min(self.calls_max - self.call_count, free_slot_count)
        return callable_count + self.ahead_max - len(self.waiting)


class Reconciler:
    """Drives several subaccounts at a time and none twice, as many as Twilio may be asked at once.

    One slot is only for suspensions, which are urgent, and one for all else, so that neither waits
    for ever behind the other. What goes on after suspensions is ended in no more than half of the
    slots, for each such claim takes many calls. Who else calls Twilio has a turn in the slots that
    are not the suspensions', so that this process never has more calls than that under way.
    """

    name = "reconcile"

    def __init__(
        self,
        claiming: Claiming,
        driving: Driving,
        ending: Ending | None,
        *,
        recording: Recording,
        trouble: TwilioTrouble,
        settings: TelephonySettings,
    ) -> None:
        self._claiming = claiming
        self._driving = driving
        self._ending = ending
        self._recording = recording
        self._trouble = trouble
        self._slot_count = settings.twilio_concurrency
        calls_max = self._slot_count - 1
        self._turn_count = 0
        self._tickets: deque[asyncio.Future[None]] = deque()
        self._urgent = Lane(Work.SUSPENSION, calls_max=calls_max, ahead_max=calls_max)
        self._others = [Lane(Work.REST, calls_max=calls_max, ahead_max=0)]
        if ending:
            half = max(1, calls_max // 2)
            self._others.append(Lane(Work.AFTERMATH, calls_max=half, ahead_max=0))
        # A claim that has waited longer might end before its calls do.
        self._timing = settings.reconcile_timing
        self._time_for_calls = self._timing.lease.total_seconds() / 2
        self._left_aside: dict[str, float] = {}
        self._poller = PollingWorker(self.name, self._claim, settings.poll_interval_seconds)
        self._stopping = False
        self._calls = asyncio.TaskGroup()

    def wake(self) -> None:
        """Look now for what is due; to be called after the commit that made it so."""
        self._poller.wake()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have a slot for one call at a time, before all else but suspensions."""
        ticket = asyncio.get_running_loop().create_future()
        self._tickets.append(ticket)
        self._hand_out_turns()
        try:
            await ticket
            yield
        finally:
            if not ticket.cancelled():
                self._turn_count -= 1
                self._go_on()

    def _hand_out_turns(self) -> None:
        while self._tickets and (self._tickets[0].done() or self._slots_for_others > 0):
            ticket = self._tickets.popleft()
            if not ticket.done():
                self._turn_count += 1
                ticket.set_result(None)

    async def run(self, stop: asyncio.Event) -> None:
        """Drive until stop is set, and finish what is under way."""
        async with self._calls:
            await self._poller.run(stop)
            self._stopping = True
            for lane in (self._urgent, *self._others):
                while lane.waiting:
                    self._calls.create_task(self._give_back(lane.waiting.popleft()))

    async def _claim(self) -> bool:
        if not await self._may_claim():
            return False
        # Neither of the others always comes first to the one slot that suspensions leave.
        for lane in (self._urgent, *random.sample(self._others, len(self._others))):
            room = lane.room(self._free_slots_for(lane))
            lane.may_have_more = True
            if room == 0:
                continue
            now = asyncio.get_running_loop().time()
            self._left_aside = {
                name: until for name, until in self._left_aside.items() if until > now
            }
            search = DueSearch(lane.work, list(self._left_aside), room)
            claims = await self._claiming.claim_due(search)
            lane.may_have_more = claims.may_be_more
            lane.waiting.extend(claims.claims)
            self._leave_aside(claims.left_aside_seconds)
            self._call()
        return self._can_claim_more

    async def _may_claim(self) -> bool:
        busy_seconds = self._trouble.busy_seconds
        if busy_seconds:
            asyncio.get_running_loop().call_later(busy_seconds, self._poller.wake)
            return False
        return self._trouble.is_over or not (await self._trouble.read()).in_trouble

    @property
    def _others_count(self) -> int:
        return sum(lane.call_count for lane in self._others) + self._turn_count

    @property
    def _slots_for_others(self) -> int:
        """Free slots that are not the suspensions'."""
        taken_count = max(1, self._urgent.call_count) + self._others_count
        return self._slot_count - taken_count

    def _free_slots_for(self, lane: Lane) -> int:
        if lane is self._urgent:
            return self._slot_count - lane.call_count - self._others_count
        return self._slots_for_others

    @property
    def _can_claim_more(self) -> bool:
        return any(
            lane.may_have_more and lane.room(self._free_slots_for(lane))
            for lane in (self._urgent, *self._others)
        )

    def _leave_aside(self, seconds_of: dict[str, float]) -> None:
        loop = asyncio.get_running_loop()
        for organization_id, seconds in seconds_of.items():
            self._left_aside[organization_id] = loop.time() + seconds
            loop.call_later(seconds, self._poller.wake)

    def _call(self) -> None:
        for lane in (self._urgent, *self._others):
            while (
                lane.waiting and lane.call_count < lane.calls_max and self._free_slots_for(lane) > 0
            ):
                lane.call_count += 1
                self._calls.create_task(self._reconcile(lane, lane.waiting.popleft()))

    def _go_on(self) -> None:
        """Let others have the slot that has become free."""
        self._hand_out_turns()
        if not self._stopping:
            self._call()
        if self._can_claim_more:
            self._poller.wake()

    async def _reconcile(self, lane: Lane, claim: Claim) -> None:
        try:
            answer = await self._drive_if_there_is_time(claim)
            if answer and answer.failure:
                # Before the next call: if Twilio is in trouble, there is to be none.
                answer = replace(answer, counts=await self._tell_of(claim, answer))
        finally:
            lane.call_count -= 1
        self._go_on()
        if answer and not answer.failure:
            await self._tell_of(claim, answer)
        if await self._recording.record(Outcome(claim, answer)):
            self._poller.wake()

    async def _tell_of(self, claim: Claim, answer: Answer | AftermathAnswer) -> bool:
        """Let it be heard what Twilio did; answer whether a failure is the subaccount's own."""
        driven = claim.subaccount
        return await self._trouble.hear(
            Call(
                driven.account_sid,
                self._timing.claim_time(driven.lease_end_time),
                answer.failure,
                changed=answer.changed,
                to_change=claim.work is not Work.AFTERMATH and driven.drifted,
            )
        )

    async def _drive_if_there_is_time(self, claim: Claim) -> Answer | AftermathAnswer | None:
        if claim.deadline - asyncio.get_running_loop().time() < self._time_for_calls:
            return None
        if not self._trouble.may_call:
            return None
        if claim.work is Work.AFTERMATH and self._ending:
            return await self._ending.drive(claim)
        return await self._driving.drive(claim)

    async def _give_back(self, claim: Claim) -> None:
        await self._recording.record(Outcome(claim, None))


class Provisioner:
    """Carries intents out, a few at a time, each in a turn among the calls to Twilio."""

    name = "provision"

    def __init__(self, creation: Creation, turn: Turn, settings: TelephonySettings) -> None:
        self._creation = creation
        self._turn = turn
        self._pollers = [
            PollingWorker(self.name, self._carry_on, settings.poll_interval_seconds)
            for _ in range(PROVISIONS_AT_ONCE)
        ]

    def wake(self) -> None:
        """Look now for what is due; to be called after the commit that made it so."""
        for poller in self._pollers:
            poller.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until stop is set, and finish what is under way."""
        async with asyncio.TaskGroup() as group:
            for poller in self._pollers:
                group.create_task(poller.run(stop), name=self.name)

    async def _carry_on(self) -> bool:
        async with self._turn():
            return await self._creation.carry_on()


class Prober:
    """Probes while Twilio is in trouble, and lets the reconciler go on when that is over."""

    name = "probe"

    def __init__(self, trouble: TwilioTrouble, reconciler: Reconciler, seconds: float) -> None:
        self._trouble = trouble
        self._reconciler = reconciler
        self._poller = PollingWorker(self.name, self._step, seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until stop is set."""
        await self._poller.run(stop)

    async def _step(self) -> bool:
        was_over = self._trouble.is_over
        async with self._reconciler.turn():
            await self._trouble.probe_if_due()
        if self._trouble.is_over and not was_over:
            self._reconciler.wake()
        return False


def build_workers(
    organizations: OrganizationOperations,
    reconciler: Reconciler,
    provisioner: Provisioner,
    trouble: TwilioTrouble,
    *,
    gauging: Gauging[Overview],
    settings: TelephonySettings,
) -> list[Worker]:
    """Return what runs beside the rpcs."""
    lapse = PollingWorker("lapse", organizations.reevaluate_due, settings.poll_interval_seconds)
    prober = Prober(trouble, reconciler, settings.poll_interval_seconds)
    return [reconciler, provisioner, prober, lapse, gauging.worker()]
