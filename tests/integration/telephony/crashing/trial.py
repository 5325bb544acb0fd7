"""One subaccount whose service is killed at a step of what happens to it, and started again."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import grpc

from dev.simulators.twilio import TwilioSimulator
from tests.integration.telephony.steps import TelephonySteps
from tests.support.crashing.deaths import try_deaths
from tests.support.crashing.telephony import READY_SECONDS, TelephonyProcess
from tests.support.crashing.wires import Death
from tests.support.waiting import eventually

NUMBERS = itertools.count(1)


@dataclass
class Subject:
    """An organization of one subaccount."""

    organization_id: str
    account_sid: str
    service: TelephonyProcess
    twilio: TwilioSimulator
    # By the process that runs.
    steps: TelephonySteps

    @property
    def asked(self) -> list[str]:
        """What Twilio was asked about the subaccount, oldest first."""
        return [
            f"{each.operation} {each.status_asked or ''}".strip()
            for each in self.twilio.requests
            if each.sid == self.account_sid
        ]

    async def report(self, revision: int, *, frozen: bool) -> None:
        """Tell of the wallet, which may have been told before."""
        await self.steps.report_wallet(
            frozen=frozen, organization_id=self.organization_id, revision=revision
        )


@dataclass(frozen=True)
class Story:
    """What happens to a subaccount.

    `tell` may end midway, with an rpc that has no answer; `tell_again` has to bring it to its end.
    `is_over` holds a query for the subaccount, that has a row when nothing is left to be done.
    """

    prepare: Callable[[Subject], Awaitable[None]]
    tell: Callable[[Subject], Awaitable[None]]
    tell_again: Callable[[Subject], Awaitable[None]]
    is_over: str
    check: Callable[[Subject, "Told"], Awaitable[None]]


@dataclass(frozen=True)
class Told:
    """How far the service heard of it all before it died, and what it had asked by then."""

    is_whole: bool
    asked_before: int
    is_killed: bool


async def try_story(service: TelephonyProcess, twilio: TwilioSimulator, story: Story) -> None:
    """Kill the service at one step after the other, each with a subaccount of its own."""
    await try_deaths(service.wires, partial(_is_reached, service, twilio, story))


async def _is_reached(
    service: TelephonyProcess, twilio: TwilioSimulator, story: Story, death: Death
) -> bool:
    """Kill the service so, start it again, and check; False if all was over before that."""
    number = next(NUMBERS)
    await service.start_and_wait(woken_only=True)
    async with service.channel() as channel:
        steps = TelephonySteps(channel, twilio)
        it = Subject(f"org-{number}", f"AC{number:032x}", service, twilio, steps)
        await story.prepare(it)
        told = await _tell_and_kill(it, story, death)
    async with service.channel() as channel:
        it.steps = TelephonySteps(channel, twilio)
        if told.is_killed:
            await story.tell_again(it)
        await story.check(it, told)
    await service.kill()
    return told.is_killed


async def _tell_and_kill(it: Subject, story: Story, death: Death) -> Told:
    service = it.service
    service.wires.arm(death)
    telling = asyncio.create_task(_is_heard(story.tell(it)))

    async def is_over() -> bool:
        if service.wires.is_over:
            return True
        return telling.done() and bool(
            await service.connection.fetch(story.is_over, it.account_sid)
        )

    await eventually(is_over, lambda over: over, READY_SECONDS)
    if not service.wires.is_cut:
        service.wires.disarm()
        return Told(is_whole=True, asked_before=len(it.asked), is_killed=False)
    await service.kill()
    is_whole = await telling
    asked_before = len(it.asked)
    await service.let_leases_end()
    await service.start_and_wait(woken_only=False)
    return Told(is_whole, asked_before, is_killed=True)


async def _is_heard(telling: Awaitable[None]) -> bool:
    with suppress(grpc.aio.AioRpcError):
        await telling
        return True
    return False
