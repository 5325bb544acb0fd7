"""Whole stories at both providers, told in any order and any number of times, end the same."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.billing_gateway.acceptance.ends import (
    database_of,
    differences,
    end_of,
    named_alike,
    quiet,
    sweep,
)
from tests.integration.billing_gateway.acceptance.organization import Organization, Verb
from tests.integration.billing_gateway.acceptance.stories import (
    OPENINGS,
    VERBS,
    WHOLE_STORY,
    play,
)
from tests.integration.billing_gateway.acceptance.truth import errors_of
from tests.support.searching import SEARCH_TIMES
from tests.support.stack import SERVICES, Stack
from tests.support.two_providers import Told, TwoProviders
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_payments_pb2

# Each of them is played four times, over every wire: SEARCH_TIMES=20 asks for a hundred.
STORIES = max(1, int(5 * SEARCH_TIMES))
# A whole story on a busy machine.
STORY_SECONDS = 60
NUMBERS = itertools.count()
UNSETTLED = "SELECT 1 FROM webhook_events WHERE event_id = $1 AND state = 'RECEIVED'"


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Campaigns and telephony tell what an organization may do."""
    return SERVICES


async def tell_one_by_one(stack: Stack, providers: TwoProviders, told: Sequence[Told]) -> None:
    """Tell everything once, each thing when the one before it is settled."""
    async with database_of(stack, "billing_gateway") as gateway:
        for each in told:
            assert await providers.deliver(each) == 200
            look = partial(gateway.fetch, UNSETTLED, each.event.event_id)
            await eventually(look, lambda rows: not rows)


async def tell_anyhow(providers: TwoProviders, told: Sequence[Told], rng: random.Random) -> None:
    """Tell everything at once, in any order, some of it again."""
    copies = [each for each in told for _ in range(rng.choice((1, 1, 2, 3)))]
    rng.shuffle(copies)
    answers = await asyncio.gather(*(providers.deliver(each) for each in copies))
    assert {*answers} <= {200}


@dataclass
class Hearsay:
    """Tells a story while it goes on: something at once, the rest later, in any order."""

    stack: Stack
    providers: TwoProviders
    rng: random.Random
    late: list[Told] = field(default_factory=list)

    async def hear(self, news: Sequence[Told]) -> None:
        """Tell some of what has happened up to now, and perhaps let the gateway act on it."""
        self.late += news
        self.rng.shuffle(self.late)
        count = self.rng.randint(0, len(self.late))
        told, self.late = self.late[:count], self.late[count:]
        await tell_anyhow(self.providers, told, self.rng)
        if self.rng.random() < 0.3:
            await quiet(self.stack)


async def check(
    stack: Stack, providers: TwoProviders, story: list[Verb], rng: random.Random
) -> None:
    """Let four organizations live the same story, which is told of each in another way."""
    number = next(NUMBERS)
    lives = [Organization(f"org-{number}-{way}", stack, providers) for way in "abcd"]
    hearsay = Hearsay(stack, providers, rng)
    told = []
    for it in lives:
        told.append(await play(it, story, hearsay.hear if it is lives[-1] else None))
        # The next one begins long ago again, when nothing of this one had happened.
        await quiet(stack)
    await asyncio.gather(
        tell_one_by_one(stack, providers, told[0]),
        tell_one_by_one(stack, providers, told[1][::-1]),
        tell_anyhow(providers, told[2], rng),
        tell_anyhow(providers, hearsay.late, rng),
    )
    rest = await tell_the_rest(stack, providers)
    for it in lives:
        await claim_what_is_theirs(it)
    await sweep(stack)
    ends = [await end_as_told(it, of_it, rest) for it, of_it in zip(lives, told, strict=True)]
    found = [line for end in ends for line in differences(ends[0], end)]
    names = [f"{verb.__module__.rpartition('.')[2]}.{verb.__name__}" for verb in story]
    found += [line for it in lives for line in await errors_of(it)]
    assert not found, "\n".join([", ".join(names), *found])


async def tell_the_rest(stack: Stack, providers: TwoProviders) -> list[Told]:
    """Tell what comes of what the gateway itself does, until it does nothing any more."""
    rest: list[Told] = []
    await quiet(stack)
    while news := providers.take_told():
        rest += news
        for each in news:
            assert await providers.deliver(each) == 200
        await quiet(stack)
    return rest


async def claim_what_is_theirs(it: Organization) -> None:
    """A person says of what nobody else could whose it is."""
    for provider, payment_id in it.unclaimed:
        request = billing_gateway_service_payments_pb2.AssignPaymentRequest(
            provider=provider,
            payment_id=payment_id,
            organization_id=it.organization_id,
            actor="support",
            note="it is theirs",
        )
        await it.stack.gateway.AssignPayment(request)


async def end_as_told(it: Organization, told: Sequence[Told], rest: Sequence[Told]) -> list[Any]:
    """Return how it all stands for an organization, by the names that its story gives."""
    own = [each for each in rest if it.organization_id.encode() in each.event.body]
    end = await end_of(it.stack, it.organization_id, it.begin)
    return named_alike(
        end, it.organization_id, sorted([*told, *own], key=it.was_captured_by_the_gateway)
    )


@pytest.mark.long
@pytest.mark.timeout(2 * STORY_SECONDS)
async def test_the_whole_story_told_anyhow_ends_as_told_in_order(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    await check(believing_stack, providers, list(WHOLE_STORY), random.Random())


# A story that fails is told as it is: to make it shorter would play it a hundred times.
@pytest.mark.long
@pytest.mark.timeout(STORIES * STORY_SECONDS)
@settings(
    max_examples=STORIES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    opening=st.lists(st.sampled_from(OPENINGS), min_size=1, max_size=3),
    story=st.lists(st.sampled_from(VERBS), min_size=10, max_size=40),
    seed=st.integers(0, 2**32),
)
async def test_any_story_told_anyhow_ends_as_told_in_order(
    believing_stack: Stack,
    providers: TwoProviders,
    opening: list[Verb],
    story: list[Verb],
    seed: int,
) -> None:
    await check(believing_stack, providers, opening + story, random.Random(seed))
