"""Whole stories at both providers, told in any order and any number of times, end the same."""

import asyncio
import itertools
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.billing_gateway.acceptance.ends import end_of, named_alike, quiet
from tests.integration.billing_gateway.acceptance.stories import (
    VERBS,
    WHOLE_STORY,
    Organization,
    Verb,
    play,
)
from tests.support.searching import SEARCH_TIMES
from tests.support.stack import Stack
from tests.support.two_providers import Told, TwoProviders

# Each of them plays two stories, over every wire: SEARCH_TIMES=100 asks for hundreds.
STORIES = max(1, round(SEARCH_TIMES))
NUMBERS = itertools.count()


async def tell_in_order(stack: Stack, providers: TwoProviders, told: list[Told]) -> None:
    for each in told:
        assert await providers.deliver(each) == 200
    await quiet(stack)


async def tell_anyhow(
    stack: Stack, providers: TwoProviders, told: list[Told], rng: random.Random
) -> None:
    copies = [each for each in told for _ in range(rng.choice((1, 1, 2, 3)))]
    rng.shuffle(copies)
    answers = await asyncio.gather(*(providers.deliver(each) for each in copies))
    assert set(answers) == {200}
    await quiet(stack)


async def check(
    stack: Stack, providers: TwoProviders, story: list[Verb], rng: random.Random
) -> None:
    """Let two organizations live the same story, which is told of them in different ways."""
    number = next(NUMBERS)
    one, other = (Organization(f"org-{number}-{way}", stack, providers) for way in ("a", "b"))
    told_of_one, told_of_other = await play(one, story), await play(other, story)
    await tell_in_order(stack, providers, told_of_one)
    await tell_anyhow(stack, providers, told_of_other, rng)
    ends = [
        named_alike(await end_of(stack, it.organization_id), it.organization_id, told)
        for it, told in ((one, told_of_one), (other, told_of_other))
    ]
    assert ends[0] == ends[1]


async def test_the_whole_story_told_anyhow_ends_as_told_in_order(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    await check(believing_stack, providers, list(WHOLE_STORY), random.Random())


@settings(
    max_examples=STORIES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=st.lists(st.sampled_from(VERBS), min_size=4, max_size=25), rng=st.randoms())
async def test_any_story_told_anyhow_ends_as_told_in_order(
    believing_stack: Stack, providers: TwoProviders, story: list[Verb], rng: random.Random
) -> None:
    await check(believing_stack, providers, story, rng)
