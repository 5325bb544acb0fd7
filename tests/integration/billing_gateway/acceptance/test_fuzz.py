"""Mutated real events, rightly signed: each is answered and settled, and none moves money wrongly.

FUZZ_DELIVERIES=1000000 asks for more of them, FUZZ_SEED for those of an earlier run.
"""

import asyncio
import os
import random
import secrets
from collections import Counter
from collections.abc import Iterable

import pytest

from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.acceptance.ends import end_of, quiet
from tests.integration.billing_gateway.acceptance.mutations import mutate, words_of
from tests.integration.billing_gateway.acceptance.stories import WHOLE_STORY, Organization, play
from tests.integration.billing_gateway.subscriptions_told import query
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.two_providers import Told, TwoProviders
from tests.support.waiting import eventually

DELIVERIES = int(os.environ.get("FUZZ_DELIVERIES") or 500)
AT_ONCE = 16
# Of what is told and of what is settled; a worker that is stuck takes for ever.
SECONDS_PER_DELIVERY = 0.05

# What the story's payments credit, whole.
AMOUNTS = {0, 25_000_000, 12_500_000, 20_000_000}
CREDITED = "SELECT organization_id, payment_id, credited_micros, reversed_micros FROM payments"


async def deliver_all(
    providers: TwoProviders, bodies: Iterable[tuple[Provider, bytes]]
) -> Counter[int]:
    """Deliver bodies, some at once; return how often each status was answered."""
    waiting, statuses = iter(bodies), Counter[int]()

    async def work() -> None:
        for provider, body in waiting:
            statuses[await providers.post(provider, body)] += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return statuses


async def settled(stack: Stack) -> None:
    """Wait until no event and no level is under way."""

    async def count() -> int:
        [row] = await query(
            stack,
            "SELECT (SELECT count(*) FROM webhook_events WHERE state = 'RECEIVED')"
            " + (SELECT count(*) FROM announcements WHERE acknowledged_revision < revision)",
        )
        return int(row[0])

    await eventually(count, lambda found: found == 0, 15 + DELIVERIES * SECONDS_PER_DELIVERY)


def mutants(rng: random.Random, told: list[Told]) -> Iterable[tuple[Provider, bytes]]:
    words = words_of([each.event.body for each in told])
    for number in range(DELIVERIES):
        each = rng.choice(told)
        yield each.provider, mutate(rng, each.event.body, f"fuzz-{number}", words)


@pytest.mark.timeout(60 + DELIVERIES * SECONDS_PER_DELIVERY * 2)
async def test_whatever_is_signed_is_answered_and_settled_and_credits_nothing_wrongly(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    seed = int(os.environ.get("FUZZ_SEED") or secrets.randbits(32))
    print(f"FUZZ_SEED={seed}")  # noqa: T201 - shown with a failure
    organization = Organization("org-1", believing_stack, providers)
    told = await play(organization, WHOLE_STORY)
    await deliver_all(providers, [(each.provider, each.event.body) for each in told])
    await quiet(believing_stack)
    before = {row["payment_id"]: row for row in await query(believing_stack, CREDITED)}

    statuses = await deliver_all(providers, mutants(random.Random(seed), told))

    assert statuses == {200: DELIVERIES}
    await settled(believing_stack)
    events = await query(believing_stack, "SELECT * FROM webhook_events")
    assert not [each["event_id"] for each in events if "internal" in each["last_error"]]
    after = {row["payment_id"]: row for row in await query(believing_stack, CREDITED)}
    for payment_id, row in before.items():
        assert after[payment_id]["credited_micros"] == row["credited_micros"]
    assert {row["credited_micros"] or 0 for row in after.values()} <= AMOUNTS
    credited = [row for row in after.values() if row["credited_micros"]]
    assert {row["organization_id"] for row in credited} == {"org-1"}
    wallet = await wallet_of(believing_stack, "org-1")
    left = sum(row["credited_micros"] - row["reversed_micros"] for row in credited)
    assert wallet.balance_micros - wallet.owed_micros == left

    await nobody_is_stuck(believing_stack, providers)


async def nobody_is_stuck(stack: Stack, providers: TwoProviders) -> None:
    """After all that, a story of another organization goes as ever."""
    other = Organization("org-2", stack, providers)
    told = await play(other, WHOLE_STORY)
    await deliver_all(providers, [(each.provider, each.event.body) for each in told])
    await settled(stack)
    assert await end_of(stack, "org-2")
    assert (await wallet_of(stack, "org-2")).balance_micros > 0
