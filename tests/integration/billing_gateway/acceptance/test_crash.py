"""Killed at any step of handling an event, a gateway that starts again ends it with one effect.

A step is one write to the database, to another service or to a provider. SEARCH_TIMES=20 tries
every step, each both before it is taken and before its answer arrives.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import grpc
import pytest
from aiohttp import ClientError

from tests.integration.billing_gateway.acceptance import paypal_verbs, stripe_verbs
from tests.integration.billing_gateway.acceptance.ends import NOT_QUIET, end_of, named_alike
from tests.integration.billing_gateway.acceptance.organization import Organization, Verb
from tests.integration.billing_gateway.acceptance.stories import play
from tests.integration.billing_gateway.checkouts_asked import create_top_up
from tests.integration.billing_gateway.subscriptions_told import history_of
from tests.support.crashing.deaths import try_deaths
from tests.support.crashing.gateway import GatewayProcess, settings_for
from tests.support.crashing.nursery import Nursery, open_nursery
from tests.support.crashing.wires import Death, Wires
from tests.support.searching import SEARCH_TIMES
from tests.support.sights import wallet_of
from tests.support.stack import SERVICES, Stack
from tests.support.two_providers import Told, TwoProviders
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2

OTHERS = ("wallet", "campaign", "telephony")
NUMBERS = itertools.count()

STATE = "SELECT state FROM webhook_events WHERE event_id = $1"
# At its start a gateway marks all levels once more, due in a second.
TELL_NOW = "UPDATE announcements SET due_time = now() WHERE acknowledged_revision < revision"
# How often a level went up and down that nobody saw is of the way.
FREEZES = {wallet_pb2.ENTRY_TYPE_FREEZE, wallet_pb2.ENTRY_TYPE_UNFREEZE}


async def approve_at_paypal(it: Organization) -> None:
    """Let a customer approve a top-up, whose money it is the gateway's to take."""
    answer = await create_top_up(
        it.stack, organization_id=it.organization_id, reference_id=it.next_reference()
    )
    it.providers.paypal.account.approve_order(answer.payment.payment_id.removeprefix("paypal:"))


@dataclass(frozen=True)
class Kind:
    """What was told before, what happens then, what is told of it, and the balance after that."""

    before: tuple[Verb, ...]
    verb: Verb
    event_type: str
    balance_micros: int


KINDS = {
    "paid_at_stripe": Kind((), stripe_verbs.top_up, "checkout.session.completed", 25_000_000),
    "approved_at_paypal": Kind((), approve_at_paypal, "CHECKOUT.ORDER.APPROVED", 25_000_000),
    "paid_at_paypal": Kind((), paypal_verbs.top_up, "PAYMENT.CAPTURE.COMPLETED", 25_000_000),
    "refunded": Kind(
        (paypal_verbs.top_up,),
        paypal_verbs.refund_a_part,
        "PAYMENT.CAPTURE.REFUNDED",
        20_000_000,
    ),
    "disputed": Kind(
        (stripe_verbs.top_up,),
        stripe_verbs.dispute,
        "charge.dispute.created",
        25_000_000,
    ),
    "subscribed": Kind((), stripe_verbs.subscribe, "customer.subscription.created", 0),
    "subscription_paid": Kind((), paypal_verbs.subscribe, "PAYMENT.SALE.COMPLETED", 12_500_000),
    "past_due": Kind(
        (stripe_verbs.subscribe,),
        stripe_verbs.fail_to_pay,
        "customer.subscription.updated",
        20_000_000,
    ),
}


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Who is down would be called in vain, all the time."""
    return SERVICES


@pytest.fixture(scope="module")
async def nursery() -> AsyncIterator[Nursery]:
    """Return where all gateways come from."""
    async with open_nursery() as nursery:
        yield nursery


@pytest.fixture
async def gateway(
    stopped_stack: Stack, providers: TwoProviders, nursery: Nursery, tmp_path: Path
) -> AsyncIterator[GatewayProcess]:
    """Return a gateway to be started, among those that it speaks to."""
    await stopped_stack.start(*OTHERS)
    wires = Wires()
    settings = await settings_for(stopped_stack, providers, wires, tmp_path)
    database = stopped_stack.databases["billing_gateway"]
    connection = await asyncpg.connect(database.superuser_url)
    log_file = tmp_path / "gateway.log"
    yield GatewayProcess(
        "billing_gateway", nursery, wires, connection, settings, log_file, stack=stopped_stack
    )
    await wires.close()
    await connection.close()
    print(log_file.read_text())  # noqa: T201 - shown with a failure


class Seen(NamedTuple):
    """How an organization stands, and what led there."""

    event_state: str
    balance_micros: int
    end: Any
    entries: list[tuple[int, int]]
    blockers: list[int]
    change_count: int


async def entries_of(stack: Stack, organization_id: str) -> list[tuple[int, int]]:
    """Return what moved an organization's money, oldest first."""
    request = wallet_service_pb2.ListEntriesRequest(organization_id=organization_id)
    try:
        entries = (await stack.wallet.ListEntries(request)).entries
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND  # noqa: PT017 - no wallet yet
        return []
    return [
        (each.type, each.amount_micros) for each in reversed(entries) if each.type not in FREEZES
    ]


async def blockers_of(stack: Stack, organization_id: str) -> list[int]:
    """Return why an organization's campaigns may not run."""
    request = campaign_service_pb2.GetEligibilityRequest(organization_id=organization_id)
    return list((await stack.campaign.GetEligibility(request)).eligibility.blockers)


@dataclass
class Trial:
    """What happens to two organizations, of which one has luck and one has not."""

    kind: Kind
    gateway: GatewayProcess
    providers: TwoProviders
    lost: list[Told] = field(default_factory=list)

    async def is_reached(self, death: Death) -> bool:
        """Kill the gateway so, start it again, and check; False if all was over before that."""
        number = next(NUMBERS)
        stack = self.gateway.stack
        twin, other = (Organization(f"org-{number}-{it}", stack, self.providers) for it in "ab")
        await self.gateway.start_and_wait(woken_only=True)
        # Before the other one, so that all statements are prepared already.
        of_twin = await self._live(twin)
        assert await self._deliver(of_twin[-1]) == 200
        of_other = await self._live(other)
        await eventually(self._is_quiet, lambda quiet: quiet)

        is_reached = await self._deliver_and_kill(of_other[-1], death)

        await self._check((twin, of_twin), (other, of_other))
        await self.gateway.kill()
        return is_reached

    async def _live(self, it: Organization) -> list[Told]:
        """Return all that was told of an organization, and last what is to be told."""
        told = await play(it, self.kind.before)
        for each in told:
            assert await self._deliver(each) == 200
        await self.kind.verb(it)
        happened = self.providers.take_told()
        [last] = [each for each in happened if each.event.event_type == self.kind.event_type]
        self.lost += [each for each in happened if each is not last]
        return [*told, last]

    async def _deliver_and_kill(self, told: Told, death: Death) -> bool:
        wires = self.gateway.wires
        wires.arm(death)
        delivery = asyncio.create_task(self._deliver(told))

        async def is_over() -> bool:
            return wires.is_over or (delivery.done() and await self._is_quiet())

        await eventually(is_over, lambda over: over)
        if not wires.is_cut:
            wires.disarm()
            assert await delivery == 200
            return False
        await self.gateway.kill()
        await self.gateway.let_leases_end()
        await self.gateway.start_and_wait(woken_only=False)
        if await delivery != 200:
            assert await self._deliver(told) == 200
        await eventually(self._is_quiet_soon, lambda quiet: quiet)
        return True

    async def _deliver(self, told: Told) -> int:
        """Deliver once; return the answer's status, 0 without an answer."""
        try:
            return await self.providers.deliver(told)
        except ClientError:
            return 0

    async def _is_quiet(self) -> bool:
        return not await self.gateway.connection.fetch(NOT_QUIET)

    async def _is_quiet_soon(self) -> bool:
        await self.gateway.connection.execute(TELL_NOW)
        return await self._is_quiet()

    async def _check(self, *told: tuple[Organization, list[Told]]) -> None:
        """Both have come to the same end, by the same steps."""
        # What the gateway has captured itself has a name as well.
        self.lost += self.providers.take_told()
        of_twin, of_other = [await self._seen(it, of_it) for it, of_it in told]
        assert of_other == of_twin
        assert of_other.event_state == "DONE"
        assert of_other.balance_micros == self.kind.balance_micros
        # PayPal takes money once for each key, and nothing else is sure to stop it.
        captures = [it for it in self.providers.paypal.requests if it.call == "capture_order"]
        keys = {(it.path, it.request_id) for it in captures}
        assert len(keys) == len({it.path for it in captures})

    async def _seen(self, it: Organization, told: list[Told]) -> Seen:
        stack, organization_id = it.stack, it.organization_id
        own = [each for each in self.lost if organization_id.encode() in each.event.body]
        end = await end_of(stack, organization_id)
        return Seen(
            await self.gateway.connection.fetchval(STATE, told[-1].event.event_id),
            (await wallet_of(stack, organization_id)).balance_micros,
            named_alike(end, organization_id, [*told, *own]),
            await entries_of(stack, organization_id),
            await blockers_of(stack, organization_id),
            len(await history_of(stack, organization_id)),
        )


@pytest.mark.timeout(180 * max(1, SEARCH_TIMES))
@pytest.mark.parametrize("name", KINDS)
async def test_an_event_ends_once_whenever_the_gateway_is_killed(
    gateway: GatewayProcess, providers: TwoProviders, name: str
) -> None:
    trial = Trial(KINDS[name], gateway, providers)
    await try_deaths(gateway.wires, trial.is_reached)
