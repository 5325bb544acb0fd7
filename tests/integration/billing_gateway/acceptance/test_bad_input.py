"""A payment's event with one thing wrong, rightly signed: it is kept, dead, and credits nothing.

So it is over every wire; what each reader does with it alone stands beside the reader.
"""

import json
from typing import Any

import pytest

from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.acceptance import paypal_verbs, stripe_verbs
from tests.integration.billing_gateway.acceptance.organization import Organization
from tests.integration.billing_gateway.acceptance.stories import play
from tests.integration.billing_gateway.subscriptions_told import query
from tests.support.credits_told import success_of
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.two_providers import TwoProviders
from tests.support.waiting import eventually

TOP_UP = {Provider.PAYPAL: paypal_verbs.top_up, Provider.STRIPE: stripe_verbs.top_up}
AMOUNT = {Provider.PAYPAL: '"value": "25.00"', Provider.STRIPE: '"amount_total": 2500'}
DEEP = "[" * 10_000 + "]" * 10_000
# Of no provider an amount of money to us.
NO_AMOUNTS = (
    *("NaN", "Infinity", "25e2", "2500.0", "-2500", "9" * 300, "9" * 5_000, DEEP, "null", "true"),
    *('"25.001"', '"NaN"', '"2.5e1"', '"-25.00"', '" 25.00"', '"2 5"', '"\\u0000"', '"\\ud800"'),
)
# What only one of them cannot mean: decimals of a currency without any, and the other world.
OF_ITS_OWN = {
    Provider.PAYPAL: [('"25.00", "currency_code": "USD"', '"25.50", "currency_code": "JPY"')],
    Provider.STRIPE: [('"livemode": false', '"livemode": true')],
}
EVENTS = "SELECT state, count(*) FROM webhook_events GROUP BY state"


def wrong(provider: Provider, good: str) -> list[bytes]:
    """Return the event with one thing wrong, each time another."""
    amount = AMOUNT[provider]
    name = amount.partition(":")[0]
    replaced = [
        *((amount, f"{name}: {each}") for each in NO_AMOUNTS),
        # Twice, in either order, and spelled otherwise.
        (amount, f"{amount}, {name}: 9900"),
        (amount, f"{name}: 9900, {amount}"),
        (amount, f'{amount}, "\\u{ord(name[1]):04x}{name[2:]}: 9900'),
        (amount, amount.replace("25", "25\0")),
        *((f'"{code}"', '"XXX"') for code in ("USD", "usd") if f'"{code}"' in good),
        *OF_ITS_OWN[provider],
    ]
    assert all(old in good for old, _ in replaced)
    texts = [good.replace(old, new) for old, new in replaced]
    texts += [f"[{good}]", f"{good}{good}", f'{good[:-1]}, "deep": {DEEP}}}']
    no_texts = [good.encode("utf-16"), good.encode().replace(b'": "', b'": "\xff', 1), b"\xff"]
    return [*(text.encode() for text in texts), *no_texts]


@pytest.mark.parametrize("provider", Provider)
async def test_whatever_is_wrong_with_an_event_it_credits_nothing(
    believing_stack: Stack, providers: TwoProviders, provider: Provider
) -> None:
    organization = Organization("org-1", believing_stack, providers)
    told = await play(organization, [TOP_UP[provider]])
    [good] = [each.event for each in told if success_of(provider, each.event.body)]
    bodies = [
        body.replace(good.event_id.encode(), f"bad-{number}".encode())
        for number, body in enumerate(wrong(provider, good.body.decode()))
    ]

    for body in bodies:
        assert await providers.post(provider, body) == 200

    async def states() -> list[tuple[str, int]]:
        return [tuple(row) for row in await query(believing_stack, EVENTS)]

    await eventually(states, lambda found: found == [("DEAD", len(bodies))])
    assert (await wallet_of(believing_stack, "org-1")).entry_count == 0
    assert await providers.post(provider, good.body) == 200
    await eventually(
        lambda: wallet_of(believing_stack, "org-1"), lambda it: it.balance_micros == 25_000_000
    )


def of_nothing(provider: Provider, told: Any) -> Any:
    """Make of a checkout another one, of no money, with the same proof of whose it is."""
    if provider is Provider.PAYPAL:
        told["resource"]["id"] += "X"
        told["resource"]["purchase_units"][0]["amount"]["value"] = "-25.00"
    else:
        nothing = {"amount_total": 0, "payment_status": "no_payment_required"}
        checkout = told["data"]["object"]
        checkout.update(id=f"{checkout['id']}X", payment_intent=None, **nothing)
    return {**told, "id": "of-nothing"}


@pytest.mark.parametrize("provider", Provider)
async def test_a_checkout_of_nothing_is_not_restored_from_its_proof(
    believing_stack: Stack, providers: TwoProviders, provider: Provider
) -> None:
    organization = Organization("org-1", believing_stack, providers)
    told = await play(organization, [TOP_UP[provider]])
    checkout_types = ("CHECKOUT.ORDER.APPROVED", "checkout.session.completed")
    [good] = [each.event for each in told if each.event.event_type in checkout_types]

    body = json.dumps(of_nothing(provider, json.loads(good.body))).encode()
    assert await providers.post(provider, body) == 200

    async def events() -> list[tuple[str, str]]:
        found = await query(believing_stack, "SELECT state, last_error FROM webhook_events")
        return [tuple(row) for row in found]

    assert await eventually(events, lambda found: found[0][0] != "RECEIVED" or found[0][1] != "")
    assert await events() == [("DONE", "")]
