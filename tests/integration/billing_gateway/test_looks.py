"""The provider is asked on doubt, every now and then, and when something is due there."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from dev.stripe_simulator import Customer
from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import Observation
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import Answer, ProviderRefusedError
from tests.integration.billing_gateway.requests import DEAD, DONE, PARKED, link
from tests.integration.billing_gateway.subscriptions_told import (
    PERIOD_END,
    at,
    failed,
    history_of,
    is_,
    paid,
    query,
    standing_of,
    state_reaches,
    subscription_of,
    tell,
)
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import provider_pb2, subscription_pb2

PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELED = SubscriptionState

DUE = """
SELECT look_due_time - now() AS wait, look_attempt_count, look_error, heard_time, cancel_due_time
FROM subscriptions WHERE subscription_id = 'I-1'
"""


PAYMENT_TO_RESOLVE = "INSERT INTO payments (provider, payment_id) VALUES ('PAYPAL', 'paypal:R1')"
OBJECTS_TO_RESOLVE = """
INSERT INTO payment_objects (provider, object_id, payment_id, name_rank)
VALUES ('PAYPAL', 'R1', 'paypal:R1', 9), ('PAYPAL', 'SALE1', 'paypal:R1', 1)
"""


def answers(paypal: FakeProvider, state: SubscriptionState) -> None:
    """Let PayPal say from now on that the subscription is in a state, since this moment."""
    told = is_(state, now(), confirmed=True, plan_id="looked-up")
    paypal.answer("I-1", told, provider_time=now())


async def is_at_rest(stack: Stack) -> bool:
    """Tell whether nothing is due at the provider for a long time."""
    [row] = await query(stack, DUE)
    return row["wait"] is None or row["wait"] > timedelta(hours=1)


@pytest.mark.parametrize(
    "doubtful",
    [
        pytest.param([is_(SUSPENDED, at(3))], id="late, and it says otherwise"),
        pytest.param([is_(SUSPENDED, at(5))], id="same instant"),
        pytest.param([is_(ACTIVE, at(9), period_end=None)], id="good without an end"),
        pytest.param([is_(ACTIVE, at(9), period_end=at(9))], id="good, and it ends now"),
        pytest.param([paid(at(9))], id="paid, until when?"),
        pytest.param([is_(ACTIVE, at(9), wants_look=True)], id="something changed"),
        pytest.param([is_(SUSPENDED, None)], id="no usable time"),
        pytest.param([is_(SUSPENDED, now() + timedelta(days=400))], id="a time far ahead"),
        pytest.param([failed(now() + timedelta(days=400))], id="a failure far ahead"),
    ],
)
async def test_each_doubt_leads_to_one_look_which_is_believed(
    paypal_stack: Stack, paypal: FakeProvider, doubtful: list[Observation]
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    assert await is_at_rest(paypal_stack)
    answers(paypal, TRIALING)

    assert (await tell(paypal_stack, "WH-2", *doubtful)).state == DONE

    subscription = await state_reaches(paypal_stack, TRIALING)
    assert subscription.plan_id == "looked-up"
    assert paypal.count("fetch_subscription") == 1
    assert await is_at_rest(paypal_stack)
    assert (await history_of(paypal_stack))[-1]["cause"] == "LOOK"


async def test_what_leaves_no_doubt_asks_nothing(paypal_stack: Stack, paypal: FakeProvider) -> None:
    for number, told in enumerate(
        [is_(ACTIVE, at(5)), is_(SUSPENDED, at(9)), is_(CANCELED, at(9))]
    ):
        await tell(paypal_stack, f"WH-{number}", told)
    await tell(paypal_stack, "WH-9", is_(ACTIVE, at(3)), paid(at(99)))
    [row] = await query(paypal_stack, DUE)
    assert row["wait"] is None, "what has ended is not asked about, whatever is told"
    assert paypal.count("fetch_subscription") == 0


@dataclass
class HeldProvider(FakeProvider):
    """Answers only when it is let."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch_subscription(self, subscription_id: str) -> Answer:
        """Answer with what stood when it was asked."""
        answer = await super().fetch_subscription(subscription_id)
        self.asked.set()
        await self.let.wait()
        return answer


async def test_a_doubt_that_comes_up_during_a_look_is_looked_into_as_well(
    stopped_stack: Stack,
) -> None:
    paypal = HeldProvider(Provider.PAYPAL)
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    await stopped_stack.start("billing_gateway")
    await tell(stopped_stack, "WH-1", is_(ACTIVE, at(5)))
    answers(paypal, TRIALING)
    await tell(stopped_stack, "WH-2", is_(SUSPENDED, at(3)))
    await paypal.asked.wait()
    await tell(stopped_stack, "WH-3", is_(SUSPENDED, at(4)))
    answers(paypal, SUSPENDED)
    paypal.let.set()

    await state_reaches(stopped_stack, SUSPENDED)
    assert paypal.count("fetch_subscription") == 2
    assert await is_at_rest(stopped_stack)


async def test_two_answers_of_one_second_are_both_heard_and_the_next_one_decides(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    second = now()

    def answers_in_that_second(state: SubscriptionState) -> None:
        paypal.answer("I-1", is_(state, second, confirmed=True), provider_time=second)

    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    answers_in_that_second(TRIALING)
    await tell(paypal_stack, "WH-2", paid(at(9)))
    await state_reaches(paypal_stack, TRIALING)
    answers_in_that_second(SUSPENDED)
    await tell(paypal_stack, "WH-3", paid(at(10)))
    await state_reaches(paypal_stack, SUSPENDED)
    answers(paypal, ACTIVE)
    await state_reaches(paypal_stack, ACTIVE)
    assert paypal.count("fetch_subscription") == 3


async def test_an_answer_that_lags_behind_the_events_opens_nothing_and_is_asked_for_again(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    began, suspended = now() - timedelta(minutes=10), now() - timedelta(minutes=1)
    await tell(paypal_stack, "WH-1", is_(ACTIVE, began))
    behind = is_(ACTIVE, began, details_time=now(), confirmed=True)
    paypal.answer("I-1", behind, provider_time=now())
    await tell(paypal_stack, "WH-2", is_(SUSPENDED, suspended, wants_look=True))

    async def next_due() -> timedelta:
        [row] = await query(paypal_stack, DUE)
        waiting: timedelta = row["wait"]
        return waiting

    # Half an interval at the least, by its jitter, but far from a day.
    quarter = timedelta(minutes=15)
    await eventually(next_due, lambda due: quarter / 3 < due <= quarter)
    assert paypal.count("fetch_subscription") == 1
    await state_reaches(paypal_stack, SUSPENDED)
    since = is_(SUSPENDED, suspended, details_time=now(), confirmed=True)
    paypal.answer("I-1", since, provider_time=now())
    await query(paypal_stack, "UPDATE subscriptions SET look_due_time = now()")
    await eventually(lambda: is_at_rest(paypal_stack), bool)
    await state_reaches(paypal_stack, SUSPENDED)


async def test_while_the_provider_is_away_what_is_known_stands_and_then_it_is_asked(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    paypal.unavailable = True
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    await tell(paypal_stack, "WH-2", is_(SUSPENDED, at(3)))
    waiting = await eventually(
        lambda: subscription_of(paypal_stack), lambda it: it.look_error != ""
    )
    assert waiting.state == subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
    await eventually(
        lambda: query(paypal_stack, DUE), lambda rows: rows[0]["look_attempt_count"] >= 2
    )
    answers(paypal, SUSPENDED)
    paypal.unavailable = False
    found = await state_reaches(paypal_stack, SUSPENDED)
    assert found.look_error == ""


async def test_a_stopped_gateway_asks_when_it_runs_again(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    await tell(paypal_stack, "WH-2", is_(SUSPENDED, at(3)))
    await paypal_stack.stop("billing_gateway")
    answers(paypal, SUSPENDED)
    await paypal_stack.start("billing_gateway")
    await state_reaches(paypal_stack, SUSPENDED)


async def test_a_subscription_that_the_provider_does_not_know_stands_as_it_was_told(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    await tell(paypal_stack, "WH-2", is_(SUSPENDED, at(3)))
    found = await eventually(
        lambda: subscription_of(paypal_stack), lambda it: "not known" in it.look_error
    )
    assert found.state == subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
    assert await is_at_rest(paypal_stack)


async def test_without_credentials_nobody_is_asked_and_the_order_decides(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    paypal.can_be_asked = False
    await paypal_stack.stop("billing_gateway")
    await paypal_stack.start("billing_gateway")
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    await tell(paypal_stack, "WH-2", is_(SUSPENDED, at(3)))
    await state_reaches(paypal_stack, ACTIVE)
    unusable: list[Observation] = [is_(SUSPENDED, None), paid(now() + timedelta(days=400))]
    for number, told in enumerate(unusable):
        found = await tell(paypal_stack, f"WH-{number + 3}", told)
        assert found.state == DEAD
        assert "cannot be asked" in found.last_error
    assert paypal.calls == []


async def test_what_no_webhook_told_is_found_in_time(
    stopped_stack: Stack, paypal: FakeProvider
) -> None:
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    stopped_stack.gateway_settings = {"look_interval_seconds": 0.2}
    await stopped_stack.start("billing_gateway")
    answers(paypal, ACTIVE)
    await tell(stopped_stack, "WH-1", is_(ACTIVE, at(5)))
    answers(paypal, CANCELED)
    await state_reaches(stopped_stack, CANCELED)


async def test_looks_that_find_nothing_new_leave_no_row_each(
    stopped_stack: Stack, paypal: FakeProvider
) -> None:
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    stopped_stack.gateway_settings = {"look_interval_seconds": 0.2}
    await stopped_stack.start("billing_gateway")
    told = is_(ACTIVE, at(5), details_time=now(), confirmed=True)
    paypal.answer("I-1", told, paid(at(5)), provider_time=now())
    await tell(stopped_stack, "WH-1", is_(ACTIVE, at(5)), paid(at(5)))

    async def asked() -> int:
        return paypal.count("fetch_subscription")

    await eventually(asked, lambda count: count >= 4)
    facts = await query(stopped_stack, "SELECT * FROM subscription_facts ORDER BY kind")
    assert [(each["kind"], each["source_id"]) for each in facts] == [
        ("PAYMENT", "WH-1"),
        ("STATE", "WH-1"),
    ]
    assert facts[1]["confirmed_time"] is not None
    assert len(await history_of(stopped_stack)) == 1


async def test_a_renewal_is_good_until_the_end_that_the_look_tells(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(0), period_end=now() - timedelta(days=2)))
    renewed = is_(ACTIVE, at(0), details_time=now() + timedelta(seconds=2), confirmed=True)
    paypal.answer("I-1", renewed, paid(at(20)), provider_time=now() + timedelta(seconds=2))
    await tell(paypal_stack, "WH-2", paid(now()))
    found = await eventually(
        lambda: subscription_of(paypal_stack),
        lambda it: it.current_period_end_time.ToSeconds() == PERIOD_END.timestamp(),
    )
    assert found.good_standing
    assert await is_at_rest(paypal_stack), "what was asked for leaves nothing to be asked"
    assert paypal.count("fetch_subscription") == 1


async def test_a_link_is_looked_into(paypal_stack: Stack, paypal: FakeProvider) -> None:
    answers(paypal, ACTIVE)
    found = await tell(paypal_stack, "WH-1", is_(SUSPENDED, at(3), claim=None))
    assert found.state == PARKED
    request = link(Customer("", "payer-1", "I-1"), "org-1")
    request.provider = provider_pb2.PROVIDER_PAYPAL
    await paypal_stack.gateway.LinkSubscription(request)
    await state_reaches(paypal_stack, ACTIVE)


async def test_the_gateway_ends_at_the_periods_end_what_its_provider_ends_only_at_once(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    wish = "UPDATE subscriptions SET cancel_due_time = {}, cancel_actor = 'ann', cancel_note = 'n'"
    await query(paypal_stack, wish.format("current_period_end_time - interval '1 hour'"))
    assert (await subscription_of(paypal_stack)).cancel_at_period_end
    longer = PERIOD_END + timedelta(days=30)
    await tell(paypal_stack, "WH-2", is_(ACTIVE, at(6), period_end=longer))
    [row] = await query(paypal_stack, DUE)
    assert row["cancel_due_time"] == longer - timedelta(hours=1)
    assert paypal.count("cancel_subscription") == 0

    answers(paypal, CANCELED)
    await query(paypal_stack, wish.format("now()"))

    await state_reaches(paypal_stack, CANCELED)
    [row] = await query(paypal_stack, DUE)
    assert (row["cancel_due_time"], row["wait"]) == (None, None)
    assert paypal.count("cancel_subscription") == 1
    line = (await history_of(paypal_stack))[-1]
    assert (line["cause"], line["actor"], line["note"]) == ("CANCEL", "ann", "n")


async def test_what_had_ended_before_the_gateway_could_end_it_has_ended(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    paypal.refusals["cancel_subscription"] = ProviderRefusedError("it has ended")
    answers(paypal, CANCELED)
    await query(paypal_stack, "UPDATE subscriptions SET cancel_due_time = now()")
    await state_reaches(paypal_stack, CANCELED)


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_the_provider_will_not_end_it_is_not_asked_to_end_all_the_time(
    paypal_stack: Stack, paypal: FakeProvider, *, is_known: bool
) -> None:
    over = now() - timedelta(hours=2)
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5), period_end=over))
    await eventually(lambda: is_at_rest(paypal_stack), bool)
    paypal.refusals["cancel_subscription"] = ProviderRefusedError("it must not be ended")
    if is_known:
        paypal.answer("I-1", is_(ACTIVE, at(5), period_end=over, confirmed=True))
    await query(paypal_stack, "UPDATE subscriptions SET cancel_due_time = now()")

    async def next_due() -> timedelta:
        [row] = await query(
            paypal_stack, "SELECT cancel_due_time - now() AS wait FROM subscriptions"
        )
        waiting: timedelta = row["wait"]
        return waiting

    await eventually(next_due, lambda wait: timedelta(hours=2) < wait < timedelta(hours=4))
    assert paypal.count("cancel_subscription") == 1


async def test_an_object_that_the_provider_does_not_know_is_asked_about_again_later(
    paypal_stack: Stack, paypal: FakeProvider
) -> None:
    await query(paypal_stack, PAYMENT_TO_RESOLVE)
    await query(paypal_stack, OBJECTS_TO_RESOLVE)
    await query(paypal_stack, "UPDATE payments SET resolve_due_time = now()")
    due = "SELECT resolve_due_time, resolve_attempt_count AS count FROM payments"
    await eventually(lambda: query(paypal_stack, due), lambda rows: rows[0]["count"] >= 2)
    assert {(call.method, call.subject) for call in paypal.calls} == {("resolve", "SALE1")}
    await query(
        paypal_stack, "UPDATE payments SET resolve_attempt_count = 7, resolve_due_time = now()"
    )
    await eventually(
        lambda: query(paypal_stack, due), lambda rows: rows[0]["resolve_due_time"] is None
    )


async def test_the_level_follows_a_look(paypal_stack: Stack, paypal: FakeProvider) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(5)))
    answers(paypal, SUSPENDED)
    await tell(paypal_stack, "WH-2", is_(PENDING, at(3)))
    await eventually(lambda: standing_of(paypal_stack), lambda it: not it.level.good_standing)
