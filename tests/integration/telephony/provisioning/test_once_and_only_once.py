"""Whatever Twilio does and whoever dies when, each reference ends with one account, for ever.

A story asks for two references of one name, lets replicas work on them against a Twilio that fails,
and kills them. Once it is left alone, there is one registered account for each, and no other that
is active. The database, the library and Twilio's simulator are real; only time is helped along.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dev.simulators.faults import (
    Cut,
    Fault,
    Latency,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from libs.errors import DomainError
from services.telephony.domain.commands import LiftOperatorBlock, SetOperatorBlock
from services.telephony.domain.provisioning import Wish
from services.telephony.domain.values import SubaccountFilter
from tests.integration.telephony.conftest import Parts, open_parts, telephony_settings
from tests.integration.telephony.levels import make_good
from tests.integration.telephony.provisioning.steps import CREATE, LIST, made_at
from tests.support.databases import ServiceDatabase
from tests.support.searching import SEARCH_TIMES
from tests.support.waiting import eventually

STORIES = max(5, round(20 * SEARCH_TIMES))
STORY_SECONDS = 20
REFERENCES = ("ref-1", "ref-2")
NUMBERS = count(1)

TIMEOUT_SECONDS = 0.25
LATE_MILLISECONDS = (300, 600)
# What was sent has taken effect by then, if it ever does.
LATE_SECONDS = 0.7
# As much time goes by as leases last, whose holders are dead, and as it takes until the next look.
LET_TIME_PASS = """
UPDATE provisions
SET due_time = now(), lease_end_time = CASE WHEN lease_end_time IS NOT NULL THEN now() END
WHERE due_time IS NOT NULL
"""

faults = st.one_of(
    st.sampled_from([Unavailable(), TooManyRequests(), Cut(), LostAnswer(), Refusal("21480", 400)]),
    st.builds(Latency, st.integers(0, LATE_MILLISECONDS[1])),
)
steps = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(REFERENCES)),
    st.tuples(st.just("fail"), st.sampled_from([LIST, CREATE, "update_account"]), faults),
    st.tuples(st.just("work")),
    st.tuples(st.just("work")),
    st.tuples(st.just("die"), st.integers(0, 80)),
    st.tuples(st.just("pass_time")),
    st.tuples(st.just("block")),
    st.tuples(st.just("unblock")),
)


@dataclass
class World:
    """One organization, the replicas of its service, and what they have answered."""

    organization_id: str
    replicas: list[Parts]
    twilio: TwilioSimulator
    connection: asyncpg.Connection
    asking: list[asyncio.Task[None]] = field(default_factory=list)
    answers: dict[str, set[str]] = field(
        default_factory=lambda: {reference_id: set() for reference_id in REFERENCES}
    )

    @property
    def name(self) -> str:
        """Return the name for people that both references ask for."""
        return f"Brand of {self.organization_id}"

    async def ask(self, reference_id: str) -> None:
        """Ask, and go on."""
        self.asking.append(asyncio.create_task(self._ask(reference_id)))

    async def fail(self, operation: str, fault: Fault) -> None:
        """Let Twilio fail once."""
        self.twilio.fail(fault, operation=operation, times=1)

    async def work(self) -> None:
        """Let both replicas work at once."""
        await asyncio.gather(*(replica.creation.carry_on() for replica in self.replicas))

    async def die(self, milliseconds: int) -> None:
        """Let a replica work until it is killed."""
        working = asyncio.create_task(self.replicas[0].creation.carry_on())
        await asyncio.wait([working], timeout=milliseconds / 1000)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    async def pass_time(self) -> None:
        """Let time go by."""
        await self.connection.execute(LET_TIME_PASS)

    async def block(self) -> None:
        """Set an operator's block."""
        command = SetOperatorBlock("", "ann")
        await self.replicas[0].organizations.change(self.organization_id, command)

    async def unblock(self) -> None:
        """Lift the operator's block."""
        await self.replicas[0].organizations.change(
            self.organization_id, LiftOperatorBlock("", "ann")
        )

    async def be_left_alone(self) -> None:
        """Let nothing fail any more, until each reference has an answer and nothing is late."""
        self.twilio.heal()
        await self.unblock()
        await eventually(self._answered, lambda answered: answered)
        for task in self.asking:
            task.cancel()
        await asyncio.gather(*self.asking, return_exceptions=True)
        await eventually(self._is_late, lambda late: not late)
        await self.pass_time()
        while await self.replicas[0].creation.carry_on():
            pass

    async def registered(self) -> list[str]:
        """Return the organization's subaccounts."""
        which = SubaccountFilter(organization_id=self.organization_id)
        page = await self.replicas[0].subaccounts.list_page(which, 0, "")
        return [each.subaccount.account_sid for each in page.items]

    async def active(self) -> list[str]:
        """Return the organization's accounts that are active at Twilio, known to us or not."""
        made = await made_at(self.twilio, "active")
        return [sid for sid, name in made.items() if name.startswith(f"{self.name} ")]

    async def _is_late(self) -> bool:
        sent = [each.received_at for each in self.twilio.requests if each.operation == CREATE]
        return self.twilio.clock.now() < max(sent) + timedelta(seconds=LATE_SECONDS)

    async def _answered(self) -> bool:
        await self.pass_time()
        missing = [reference_id for reference_id, told in self.answers.items() if not told]
        asking = [asyncio.create_task(self._ask(reference_id)) for reference_id in missing]
        while not all(task.done() for task in asking):
            await self.work()
            await asyncio.sleep(0)
        return not missing

    async def _ask(self, reference_id: str) -> None:
        wish = Wish(self.organization_id, reference_id, "", self.name)
        with suppress(DomainError):
            provisioned = await self.replicas[-1].provisioning.provision(wish)
            self.answers[reference_id].add(provisioned.standing.subaccount.account_sid)


@pytest.fixture
async def replicas(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> AsyncIterator[list[Parts]]:
    """Two services without their loops."""
    settings = telephony_settings(
        database, twilio, twilio_timeout_seconds=TIMEOUT_SECONDS, twilio_recheck_seconds=0.1
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_parts(settings)) for _ in range(2)]


@pytest.fixture
async def connection(database: ServiceDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do anything."""
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


# A story that fails is told as it is: to make it shorter would play it a hundred times.
@pytest.mark.long
@pytest.mark.timeout(STORIES * STORY_SECONDS)
@settings(
    max_examples=STORIES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=st.lists(steps, min_size=4, max_size=25))
async def test_each_reference_ends_with_one_account_and_no_other_is_active(
    replicas: list[Parts],
    connection: asyncpg.Connection,
    twilio: TwilioSimulator,
    story: list[tuple[str, ...]],
) -> None:
    world = World(f"org-{next(NUMBERS)}", replicas, twilio, connection)
    await make_good(replicas[0].organizations, world.organization_id)
    for name, *arguments in story:
        await getattr(world, name)(*arguments)
        assert len(await world.registered()) <= len(REFERENCES)
    await world.be_left_alone()
    registered = await world.registered()
    assert [len(told) for told in world.answers.values()] == [1, 1]
    assert set(registered) == set.union(*world.answers.values())
    assert len(registered) == len(REFERENCES)
    assert set(await world.active()) == set(registered)
