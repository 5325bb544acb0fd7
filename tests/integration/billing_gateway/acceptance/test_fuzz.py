"""Changed real events, rightly signed: each is answered and settled, and none moves money wrongly.

FUZZ_DELIVERIES=1000000 asks for more of them, FUZZ_SEED for those of an earlier run.
"""

import asyncio
import json
import logging
import os
import random
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from dev.simulators.deliveries import Event
from dev.simulators.stripe.shapes import Shape
from tests.integration.billing_gateway.acceptance.credits_found import wrong_credits, wrong_wallets
from tests.integration.billing_gateway.acceptance.ends import ASK_NOW, end_of, named_alike, quiet
from tests.integration.billing_gateway.acceptance.organization import Organization
from tests.integration.billing_gateway.acceptance.stories import WHOLE_STORY, play
from tests.support.credits_told import Delivery, success_of
from tests.support.mutations import ID, Hands, places, words_of
from tests.support.sample_events import sample_events
from tests.support.stack import Stack
from tests.support.two_providers import Told, TwoProviders
from tests.support.waiting import eventually

DELIVERIES = int(os.environ.get("FUZZ_DELIVERIES") or 500)
# Then it is the next organizations' turn: what is known of one only grows.
PER_ROUND = 1_000
AT_ONCE = 16
# A worker that is stuck takes for ever.
SECONDS_PER_DELIVERY = 0.1

# What people are told of, which is no defect.
ALARMS = ("dispute_without_its_money", "events_parked_too_long")
# What the wallet cannot take waits for people.
UNDER_WAY = """
SELECT 'event ' || event_id || ': ' || last_error FROM webhook_events WHERE state = 'RECEIVED'
UNION ALL SELECT 'announcement ' || key || ': ' || last_error FROM announcements
    WHERE acknowledged_revision < revision AND last_error !~ 'CURRENCY_MISMATCH|BALANCE_LIMIT'
LIMIT 5
"""


@dataclass(frozen=True)
class Source:
    """An event of one organization, and what it says."""

    organization_id: str
    told: Told

    @cached_property
    def read(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.told.event.body)
        return found

    @cached_property
    def credits(self) -> bool:
        """Tell whether it is worth more lies than all else."""
        return success_of(self.told.provider, self.told.event.body) is not None

    @property
    def delivery(self) -> Delivery:
        """The event as it is."""
        return Delivery(self.told.provider, self.told.event.body, frozenset({self.organization_id}))


def strangers(number: int) -> list[Source]:
    """Return real events of nobody, where they are there; each round has objects of its own."""
    sources = []
    for provider, told in sample_events():
        for container, key in list(places(told)):
            value = container[key]
            if isinstance(value, str) and (key == "id" or ID.fullmatch(value)):
                container[key] += f"R{number}"
        sources.append(Source("", Told(provider, Event("", "", json.dumps(told).encode()))))
    return sources


@dataclass(frozen=True)
class Round:
    """Two organizations whose events are changed, and a bystander whose are not."""

    stack: Stack
    providers: TwoProviders
    rng: random.Random
    number: int

    async def run(self, count: int, expected: Any) -> None:
        """Tell everything at once, with so many changed events; see what has come of it."""
        attacked = await self._live("a", Shape.ENDIVE), await self._live("b", Shape.OLD)
        bystander = await self._live("bystander", Shape.ENDIVE)
        # What one organization's events say may stand in another's, or may not. It may, then, say
        # that a customer of the one is the other's: all of that customer's payments are, too.
        mixed = self.rng.random() < 0.5
        true = [each.delivery for sources in attacked for each in sources]
        if mixed:
            both = frozenset(sources[0].organization_id for sources in attacked)
            true = [replace(each, organization_ids=both) for each in true]
        changed = self._change(attacked, count, mixed=mixed)
        rest = [*changed, *(each.delivery for each in bystander)]
        # The truth comes first, or among the lies.
        first, rest = (true, rest) if self.rng.random() < 0.5 else ([], [*true, *rest])
        self.rng.shuffle(rest)

        await deliver_all(self.providers, first)
        await deliver_all(self.providers, rest)
        await settled(self.stack, len(rest))

        names = {sources[0].organization_id for sources in attacked}
        wrong = await wrong_credits(self.stack, [*true, *rest], names)
        assert not wrong, wrong
        await eventually(lambda: wrong_wallets(self.stack, names), lambda found: not found)
        await eventually(
            lambda: end_now(self.stack, bystander), lambda found: bool(found == expected)
        )

    async def _live(self, name: str, shape: Shape) -> list[Source]:
        return await live(self.stack, self.providers, f"org-{self.number}-{name}", shape)

    def _change(
        self, attacked: Sequence[list[Source]], count: int, *, mixed: bool
    ) -> Iterator[Delivery]:
        nobodys = strangers(self.number)
        everything = [*attacked[0], *attacked[1], *nobodys]
        names = [f"org-{self.number}-{name}" for name in ("a", "b", "bystander")]
        hands = Hands(self.rng, words_of([each.read for each in everything]), names)
        groups = [*attacked, *attacked, *([nobodys] if nobodys else [])]
        for number in range(count):
            own = self.rng.choice(groups)
            near = everything if mixed else own
            crediting = [each for each in own if each.credits]
            source = self.rng.choice(crediting if self.rng.random() < 0.5 else own)
            others = [each.read for each in near if each.told.provider is source.told.provider]
            body = hands.mutate(source.read, f"fuzz-{self.number}-{number}", others)
            of = frozenset(each.organization_id for each in near)
            yield from [Delivery(source.told.provider, body, of)] * self.rng.choice((1, 1, 1, 2))


async def live(
    stack: Stack, providers: TwoProviders, organization_id: str, shape: Shape = Shape.ENDIVE
) -> list[Source]:
    """Let an organization live the whole story; return what is to be told of it."""
    providers.stripe.account.shape = shape
    told = await play(Organization(organization_id, stack, providers), WHOLE_STORY)
    return [Source(organization_id, each) for each in told]


async def deliver_all(providers: TwoProviders, deliveries: Iterable[Delivery]) -> None:
    """Deliver, some at once; each is answered 200."""
    waiting = iter(deliveries)

    async def work() -> None:
        for each in waiting:
            assert await providers.post(each.provider, each.body) == 200, each.body

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def settled(stack: Stack, count: int) -> None:
    """Wait until no event and no level is under way."""
    connection = await asyncpg.connect(stack.databases["billing_gateway"].superuser_url)
    try:
        await eventually(
            lambda: connection.fetch(UNDER_WAY),
            lambda found: not found,
            30 + count * SECONDS_PER_DELIVERY,
        )
        await connection.execute(ASK_NOW)
    finally:
        await connection.close()


async def end_now(stack: Stack, sources: Sequence[Source]) -> Any:
    """Return how everything stands for an organization, but for its own names."""
    organization_id = sources[0].organization_id
    end = await end_of(stack, organization_id)
    return named_alike(end, organization_id, [each.told for each in sources])


async def honest_end(stack: Stack, providers: TwoProviders) -> Any:
    """Return how the story ends when nobody lies."""
    sources = await live(stack, providers, "org-honest")
    await deliver_all(providers, [each.delivery for each in sources])
    await quiet(stack)
    return await end_now(stack, sources)


def _is_of_a_defect(line: Mapping[str, Any]) -> bool:
    return line["log_level"] in ("error", "critical") and line["event"] not in ALARMS


@pytest.mark.long
@pytest.mark.timeout(120 + DELIVERIES * SECONDS_PER_DELIVERY * 2)
async def test_whatever_is_signed_is_answered_and_settled_and_credits_nothing_wrongly(
    stopped_stack: Stack, providers: TwoProviders, caplog: pytest.LogCaptureFixture
) -> None:
    seed = int(os.environ.get("FUZZ_SEED") or secrets.randbits(32))
    print(f"FUZZ_SEED={seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)
    # What the wallet cannot take is asked of it once: there is more and more of that.
    settings = {**stopped_stack.gateway_settings, "announce_back_off_max_seconds": 3_600.0}
    stopped_stack.gateway_settings = settings
    # Who is not there would be told again and again of more and more organizations.
    stopped_stack.observers = ()
    await stopped_stack.start("wallet", "billing_gateway")

    with capture_logs() as lines:
        expected = await honest_end(stopped_stack, providers)
        for number, begun in enumerate(range(0, DELIVERIES, PER_ROUND)):
            count = min(PER_ROUND, DELIVERIES - begun)
            await Round(stopped_stack, providers, rng, number).run(count, expected)
            assert not [line for line in lines if _is_of_a_defect(line)]
            lines.clear()
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
