"""Flows of money: one row and one credit each, whatever tells of them in whatever order."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from libs.announcing.ports import LevelKey
from libs.errors import ErrorReason
from libs.levels import SubscriptionState
from services.billing_gateway.domain.crediting import CreditAllowance
from services.billing_gateway.domain.observations import (
    Claim,
    Observation,
    PaymentPaid,
    PlanLine,
    SubscriptionPaid,
)
from services.billing_gateway.domain.values import (
    PaymentFilter,
    PaymentObject,
    PaymentStanding,
    PaymentState,
)
from services.billing_gateway.operations.queries.payments import SeenPayment
from services.billing_gateway.storage import payments
from tests.conftest import MakeDatabase
from tests.integration.billing_gateway.money import (
    PAYPAL,
    START,
    STRIPE,
    Money,
    dispute,
    linked,
    open_money,
    paid,
    progressed,
    refund,
    refunded_in_all,
    refusal_of,
)
from tests.integration.billing_gateway.subscriptions_told import is_
from tests.support.databases import ServiceDatabase

ACTIVE = SubscriptionState.ACTIVE
PAID = 25_000_000
PLANS = {"pro": CreditAllowance(50_000_000, "USD")}


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """The payments' database."""
    return await make_database("billing_gateway")


@pytest.fixture
async def money(database: ServiceDatabase) -> AsyncIterator[Money]:
    """The recording of a gateway, on a database of its own."""
    async with open_money(database, PLANS) as it:
        yield it


@pytest.fixture
async def superuser(database: ServiceDatabase) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Whoever makes checkouts that are further than those that a gateway may make."""
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


def invoice(number: int, subscription_id: str = "sub_1") -> PaymentPaid:
    """Return a paid invoice that renews the one period."""
    told = paid(f"in_{number}=0")
    line = PlanLine("pro", START)
    return replace(told, subscription_id=subscription_id, lines=(line,))


async def test_a_refund_that_overtakes_its_payment_makes_the_row_and_counts_from_the_first_level(
    money: Money,
) -> None:
    recorded = await money.tell("evt_1", refund("ch_1", "re_1", 5_000_000))
    assert recorded.payment_levels == ()
    assert (await money.payment("ch_1")).payment.state is PaymentState.PENDING
    await money.tell("evt_2", linked("pi_1", "ch_1"))
    assert (await money.payment("ch_1")).payment.payment_id == "stripe:pi_1"
    recorded = await money.tell("evt_3", paid("pi_1=0", "cs_1"))
    assert recorded.payment_levels == (LevelKey("org-1", "stripe:pi_1"),)
    seen = await money.payment("cs_1")
    assert seen.object_ids == ("pi_1", "ch_1", "cs_1")
    assert seen.payment.revision == 1
    assert seen.payment.standing == PaymentStanding(reversed_micros=5_000_000)
    assert seen.payment.state is PaymentState.PARTIALLY_REVERSED
    assert set(seen.payment.event_ids) == {"evt_1", "evt_2", "evt_3"}


async def test_what_a_payment_credits_is_decided_once(money: Money) -> None:
    for event_id in ("evt_1", "evt_2"):
        await money.tell(event_id, invoice(1))
        assert (await money.payment("in_1")).payment.credited_micros == 50_000_000


async def test_what_is_told_again_changes_nothing(money: Money) -> None:
    told: list[Observation] = [
        paid("pi_1=0", "cs_1"),
        refund("pi_1", "re_1", 1),
        progressed("pi_1", "ch_1"),
    ]
    for number, each in enumerate(told):
        await money.tell(f"evt_{number}", each)
    rows = await money.fetch("SELECT xmin, * FROM payments")
    for number, each in enumerate(told):
        assert (await money.tell(f"evt_{number}", each)).payment_levels == ()
    assert await money.fetch("SELECT xmin, * FROM payments") == rows


def story(seed: int) -> list[Observation]:
    """Return what is told of some flows."""
    random_ = random.Random(seed)
    told: list[Observation] = []
    for flow in range(random_.randint(1, 3)):
        names = [f"{kind}_{seed}_{flow}" for kind in ("in", "pi", "ch", "cs")]
        source = random_.choice(names[:2])
        if random_.random() < 0.8:
            others = random_.sample(names, random_.randint(0, 2))
            owner = random_.choice(["org-1", "org-1", ""])
            told.append(paid(f"{source}=0", *others, organization_id=owner))
        told += [linked(*random_.sample(names, 2)) for _ in range(random_.randint(1, 4))]
        told += [progressed(random_.choice(names), progress="FAILED"), progressed(names[1])]
        for number in range(random_.randint(0, 2)):
            states = ["PENDING", "SUCCEEDED", "FAILED"][: random_.randint(1, 3)]
            told += [
                refund(random_.choice(names), f"re_{seed}_{flow}_{number}", 7_000_000, state)
                for state in states
            ]
        told += [
            dispute(random_.choice(names), f"dp_{seed}_{flow}", state, rank=rank)
            for rank, state in enumerate(["OPEN", "LOST"][: random_.randint(0, 2)])
        ]
        if random_.random() < 0.3:
            told.append(refunded_in_all(random_.choice(names), 9_000_000))
    return told


def end_of(seen: SeenPayment) -> tuple[object, ...]:
    """Return how a payment stands, but for the way there."""
    payment = replace(seen.payment, revision=0, event_ids=())
    return payment, seen.object_ids, seen.components


async def ends(money: Money) -> list[tuple[object, ...]]:
    """Return how all payments stand."""
    listed = await money.payments()
    names = sorted(each.payment.payment_id.partition(":")[2] for each in listed)
    return [end_of(await money.payment(name)) for name in names]


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_of_what_is_told_ends_in_the_same_rows(
    make_database: MakeDatabase, seed: int
) -> None:
    told, random_, found = story(seed), random.Random(seed), []
    for _ in range(3):
        async with open_money(await make_database("billing_gateway")) as money:
            waiting = told + random_.sample(told, len(told) // 2)
            while waiting:
                together = random_.randint(1, 3)
                await money.tell(f"evt_{len(waiting)}", *waiting[:together])
                del waiting[:together]
            found.append(await ends(money))
        random_.shuffle(told)
    assert all(each == found[0] for each in found)


async def test_a_payment_and_its_refunds_at_once_from_all_sides_are_one_row_with_one_credit(
    money: Money,
) -> None:
    told: list[Observation] = [
        paid("in_1=0"),
        linked("in_1", "pi_1", "ch_1"),
        refund("ch_1", "re_1", 5_000_000),
        refund("pi_1", "re_2", 5_000_000),
        progressed("pi_1", "ch_1"),
    ]
    recorded = await asyncio.gather(
        *(money.tell(f"evt_{number}", told[number % 5]) for number in range(100))
    )
    [seen] = await money.payments()
    assert seen.payment.payment_id == "stripe:in_1"
    assert seen.payment.credited_micros == PAID
    assert seen.payment.standing.reversed_micros == 10_000_000
    assert len(seen.payment.event_ids) == 100
    assert sum(len(each.payment_levels) for each in recorded) == seen.payment.revision


async def test_a_merge_and_a_refund_by_another_object_never_miss_each_other(money: Money) -> None:
    for number in range(20):
        await money.tell(f"evt_{number}_a", paid(f"in_{number}=0"))
        await money.tell(f"evt_{number}_b", progressed(f"pi_{number}", f"ch_{number}"))
        await asyncio.gather(
            money.tell(f"evt_{number}_c", linked(f"in_{number}", f"pi_{number}")),
            money.tell(f"evt_{number}_d", refund(f"ch_{number}", f"re_{number}", PAID)),
        )
        seen = await money.payment(f"ch_{number}")
        assert seen.payment.payment_id == f"stripe:in_{number}"
        assert seen.payment.standing.reversed_micros == PAID
        assert seen.payment.state is PaymentState.REVERSED


async def test_two_credited_payments_that_prove_to_be_one_are_left_as_they_are(
    money: Money,
) -> None:
    await money.tell("evt_1", paid("pi_1=0"))
    await money.tell("evt_2", paid("in_1=0"))
    before = await money.fetch("SELECT xmin, * FROM payments ORDER BY payment_id")
    error = await refusal_of(money.tell("evt_3", linked("pi_1", "in_1")))
    assert error.reason is ErrorReason.INVALID_STATE
    assert await money.fetch("SELECT xmin, * FROM payments ORDER BY payment_id") == before


async def test_a_payment_that_the_wallet_was_told_of_keeps_its_name(money: Money) -> None:
    await money.tell("evt_1", paid("pi_2=0"))
    await money.tell("evt_2", progressed("pi_1=0"))
    await money.tell("evt_3", linked("pi_2", "pi_1"))
    assert [each.payment.payment_id for each in await money.payments()] == ["stripe:pi_2"]


async def test_the_database_lets_go_of_no_payment_that_the_wallet_was_told_of(
    money: Money,
) -> None:
    await money.tell("evt_1", paid("pi_1=0"))
    await money.tell("evt_2", progressed("pi_2"))
    with pytest.raises(Exception, match="told to the wallet"):
        await money.fetch("SELECT absorb_payment('STRIPE', 'stripe:pi_1', 'stripe:pi_2')")
    assert len(await money.payments()) == 2


async def test_a_payment_that_fails_for_good_is_reversed_in_full(money: Money) -> None:
    await money.tell("evt_1", paid("pi_1=0"))
    await money.tell("evt_2", progressed("pi_1", progress="FAILED"))
    assert (await money.payment("pi_1")).payment.state is PaymentState.PAID
    await money.tell("evt_3", progressed("pi_1", progress="FAILED", for_good=True))
    payment = (await money.payment("pi_1")).payment
    assert payment.standing == PaymentStanding(PAID)
    assert payment.revision == 2


async def test_a_refund_that_failed_before_the_last_running_total_is_not_taken_off_it(
    money: Money,
) -> None:
    await money.tell("evt_1", paid("pi_1=0"), refunded_in_all("pi_1", 5))
    await money.tell("evt_2", refund("pi_1", "re_1", 5, "FAILED"))
    assert (await money.payment("pi_1")).payment.standing == PaymentStanding()
    again = replace(refunded_in_all("pi_1", 5), provider_time=START + timedelta(days=1))
    await money.tell("evt_3", again)
    await money.tell("evt_2", refund("pi_1", "re_1", 5, "FAILED"), refunded_in_all("pi_1", 5))
    assert (await money.payment("pi_1")).payment.standing == PaymentStanding(5)


async def test_a_periods_allowance_is_credited_once_to_twenty_invoices_at_once(
    money: Money,
) -> None:
    await asyncio.gather(*(money.tell(f"evt_{n}", invoice(n)) for n in range(20)))
    credited = [each.payment.credited_micros for each in await money.payments()]
    assert sorted(each or 0 for each in credited) == [0] * 19 + [50_000_000]


async def test_a_plan_that_nothing_told_is_asked_for_once(money: Money) -> None:
    recorded = await money.tell("evt_1", *bought())
    assert (recorded.looks_due, recorded.problem) == (True, "its plan is not known yet")
    due = "SELECT FROM subscriptions WHERE look_due_time <= now()"
    assert len(await money.fetch(due)) == 1
    await money.fetch("UPDATE subscriptions SET heard_time = now(), look_due_time = NULL")
    recorded = await money.tell("evt_1", *bought())
    assert (recorded.looks_due, recorded.problem) == (False, "its plan is not known yet")
    assert await money.fetch(due) == []


def bought() -> tuple[Observation, ...]:
    """Return what a sale tells that names no plan."""
    unnamed = replace(invoice(1), lines=(PlanLine("", START),))
    period_end = START + timedelta(days=365)
    return unnamed, SubscriptionPaid(
        "sub_1", "", unnamed.claim, START, period_end, moves_state=False
    )


async def test_where_no_plan_counts_a_payment_names_its_plan_whatever_is_told_first(
    make_database: MakeDatabase,
) -> None:
    told = {"evt_sale": bought(), "evt_plan": (is_(ACTIVE, START, subscription_id="sub_1"),)}
    for order in (["evt_plan", "evt_sale"], ["evt_sale", "evt_plan", "evt_sale"]):
        async with open_money(await make_database("billing_gateway")) as money:
            for event_id in order:
                await money.tell(event_id, *told[event_id])
            [seen] = await money.payments()
            assert (seen.payment.plan_id, seen.payment.credited_micros) == ("basic", PAID)


async def test_a_linked_plan_does_not_come_before_one_that_may_yet_be_told(
    make_database: MakeDatabase,
) -> None:
    async with open_money(await make_database("billing_gateway")) as money:
        await money.tell("evt_1", *bought())
        await money.fetch("UPDATE subscriptions SET linked_plan_id = 'linked'")
        recorded = await money.tell("evt_1", *bought())
        assert recorded.problem == "its plan is not known yet"
        await money.fetch("UPDATE subscriptions SET heard_time = now()")
        await money.tell("evt_1", *bought())
        [seen] = await money.payments()
        assert (seen.payment.plan_id, seen.payment.credited_micros) == ("linked", PAID)


async def test_where_no_plan_counts_nothing_waits_for_one_that_was_asked_for_in_vain(
    make_database: MakeDatabase,
) -> None:
    async with open_money(await make_database("billing_gateway")) as money:
        recorded = await money.tell("evt_1", *bought())
        assert (recorded.looks_due, recorded.problem) == (True, "its plan is not known yet")
        await money.fetch("UPDATE subscriptions SET heard_time = now()")
        await money.tell("evt_1", *bought())
        [seen] = await money.payments()
        assert (seen.payment.plan_id, seen.payment.credited_micros) == ("", PAID)


async def test_only_what_nobody_knows_is_asked_about_and_only_until_it_is_known(
    money: Money,
) -> None:
    due = "SELECT payment_id FROM payments WHERE resolve_due_time > now() ORDER BY payment_id"
    await money.tell("evt_1", refund("ch_1", "re_1", 1))
    await money.tell("evt_2", paid("pi_2=0"))
    await money.tell("evt_3", paid("pi_3=0", organization_id=""))
    assert [row["payment_id"] for row in await money.fetch(due)] == ["stripe:ch_1"]
    await money.tell("evt_4", linked("ch_1", "pi_2"))
    assert await money.fetch(due) == []


@pytest.mark.parametrize("taken", [refund("pi_1", "re_1", 1), refunded_in_all("pi_1", 1)])
async def test_what_is_taken_back_of_a_payment_that_nobody_paid_is_asked_about_whosever_it_is(
    money: Money, taken: Observation
) -> None:
    """Its customer says whose an intent is, and nothing but invoice_payment.paid what it paid."""
    due = "SELECT payment_id FROM payments WHERE resolve_due_time > now()"
    await money.tell("evt_1", paid("in_1=0"))
    await money.tell("evt_2", replace(progressed("pi_1"), claim=Claim("org-1")))
    assert await money.fetch(due) == []
    await money.tell("evt_3", taken)
    assert [row["payment_id"] for row in await money.fetch(due)] == ["stripe:pi_1"]
    await money.tell("resolve", linked("in_1", "pi_1"))
    assert (await money.payment("in_1")).payment.standing == PaymentStanding(1)
    assert await money.fetch(due) == []


async def test_an_event_that_nobody_could_be_named_for_is_somebodys_later(money: Money) -> None:
    await money.fetch(
        "INSERT INTO webhook_events (provider, event_id, event_type, body, state) "
        "VALUES ('STRIPE', 'evt_1', 'refund.created', '', 'DONE')"
    )
    await money.tell("evt_1", refund("pi_1", "re_1", 1))
    await money.tell("evt_2", paid("pi_1=0"))
    [row] = await money.fetch("SELECT organization_id FROM webhook_events")
    assert row["organization_id"] == "org-1"


async def test_no_revision_is_lifted_before_there_is_a_level(money: Money) -> None:
    await money.tell("evt_1", paid("pi_1=0"))
    await money.tell("evt_2", progressed("pi_2"))
    await money.assign("stripe:pi_2")
    key, unpaid = LevelKey("org-1", "stripe:pi_1"), LevelKey("org-1", "stripe:pi_2")
    assert not await money.database.run(payments.lift_revision, unpaid, 1, 8)
    assert await money.database.run(payments.lift_revision, key, 1, 8)
    assert not await money.database.run(payments.lift_revision, key, 1, 9)
    listed = await money.database.run(payments.list_levels, LevelKey(""), 10)
    assert [(each.key, each.revision) for each in listed] == [(key, 8)]


async def test_old_payments_that_may_still_be_reversed_are_told_again(money: Money) -> None:
    for number in range(3):
        await money.tell(f"evt_{number}", paid(f"pi_{number}=0"))
    await money.tell("evt_3", dispute("pi_1"))
    await money.fetch("UPDATE payments SET update_time = now() - interval '40 days'")
    await money.tell("evt_4", refund("pi_2", "re_1", 1))
    listed = await money.database.run(payments.list_levels, LevelKey(""), 10)
    assert [each.key.key for each in listed] == ["stripe:pi_1", "stripe:pi_2"]


async def test_payments_are_found_by_what_is_known_of_them(money: Money) -> None:
    await money.tell("evt_1", paid("pi_1=0", "cs_1"))
    await money.tell("evt_2", paid("pi_2=0", organization_id="org-2"), refund("pi_2", "re_1", PAID))
    await money.tell("evt_3", paid("pi_3=0", organization_id=""), provider=PAYPAL)

    async def names(**wanted: object) -> set[str]:
        return {each.payment.payment_id for each in await money.payments(**wanted)}

    assert await names(organization_id="org-2") == {"stripe:pi_2"}
    assert await names(provider=PAYPAL) == {"paypal:pi_3"}
    assert await names(state=PaymentState.PARKED) == {"paypal:pi_3"}
    assert await names(state=PaymentState.REVERSED) == {"stripe:pi_2"}
    assert await names(object_id="cs_1") == {"stripe:pi_1"}
    assert await names(object_id="cs_1", provider=PAYPAL) == set()
    for payment_id in ("stripe:cs_1", "cs_1"):
        seen = await money.queries.get_payment(STRIPE, payment_id)
        assert seen.payment.payment_id == "stripe:pi_1"
    for payment_id in ("paypal:cs_1", "stripe:cs_9", "cs_9", "stripe:"):
        error = await refusal_of(money.queries.get_payment(STRIPE, payment_id))
        assert error.reason is ErrorReason.PAYMENT_NOT_FOUND


MAKE_CHECKOUT = """
INSERT INTO checkouts (
    organization_id, reference_id, kind, provider, intent_id, amount_micros, currency_code,
    return_url, cancel_url, state, checkout_id, payment_object_id, create_time
) VALUES ('org-1', $1, 'TOP_UP', $2, $1, 1, 'USD', '', '', $3, $4, $5, now() - $6::interval)
"""


async def test_a_top_up_is_a_payment_from_the_start_and_the_same_one_once_it_is_paid(
    money: Money, superuser: "asyncpg.Connection[Any]"
) -> None:
    await money.fetch("INSERT INTO organizations (organization_id) VALUES ('org-1')")
    tops = [
        ("top-up-1", "STRIPE", "OPEN", "cs_1", ""),
        ("top-up-2", "PAYPAL", "COMPLETED", "ORDER-2", "CAPTURE-2"),
        ("top-up-3", "PAYPAL", "FAILED", "ORDER-3", ""),
        ("top-up-4", "STRIPE", "WANTED", "", ""),
    ]
    for number, each in enumerate(tops):
        await superuser.execute(MAKE_CHECKOUT, *each, timedelta(minutes=number))
    assert [(each.payment.payment_id, each.payment.state) for each in await money.payments()] == [
        ("stripe:cs_1", PaymentState.PENDING),
        ("paypal:ORDER-2", PaymentState.PENDING),
        ("paypal:ORDER-3", PaymentState.FAILED),
    ]
    await money.tell("evt_1", paid("pi_1=0", "cs_1"))
    capture = replace(paid("pi_0"), objects=(PaymentObject("CAPTURE-2", 0),))
    await money.tell("WH-1", capture, provider=PAYPAL)
    for provider, asked, name in (
        (STRIPE, "cs_1", "stripe:pi_1"),
        (PAYPAL, "ORDER-2", "paypal:CAPTURE-2"),
        (PAYPAL, "CAPTURE-2", "paypal:CAPTURE-2"),
        (PAYPAL, "ORDER-3", "paypal:ORDER-3"),
    ):
        seen = await money.payment(asked, provider)
        assert seen.payment.payment_id == name
        assert seen.checkout_reference_id.startswith("top-up-")
        assert asked in (await money.payments(object_id=asked))[0].object_ids or provider is PAYPAL
    assert len(await money.payments()) == 3


async def test_pages_of_payments_hold_each_once(
    money: Money, superuser: "asyncpg.Connection[Any]"
) -> None:
    await money.fetch("INSERT INTO organizations (organization_id) VALUES ('org-1')")
    for number in range(7):
        if number % 3:
            await money.tell(f"evt_{number}", paid(f"pi_{number}=0"))
        else:
            ids = (f"top-up-{number}", "STRIPE", "OPEN", f"cs_{number}", "")
            await superuser.execute(MAKE_CHECKOUT, *ids, timedelta(hours=number))
    seen, token = list[str](), ""
    while True:
        page = await money.queries.list_payments(PaymentFilter(), 2, token)
        seen += [each.payment.payment_id for each in page.items]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 7
