"""Whole stories of one organization at both providers, one verb after the other."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from dev.simulators.paypal.errors import PayPalError
from dev.simulators.stripe.errors import StripeError
from tests.integration.billing_gateway.acceptance import paypal_verbs as paypal
from tests.integration.billing_gateway.acceptance import stripe_verbs as stripe
from tests.integration.billing_gateway.acceptance.organization import Organization, Verb
from tests.support.two_providers import Told

# So long ago a story begins, and so long each of its verbs takes.
BEGIN = timedelta(days=60)
STEP = timedelta(days=1)


async def switch_to_stripe(it: Organization) -> None:
    await stripe.subscribe(it)
    await paypal.cancel(it)


async def switch_to_paypal(it: Organization) -> None:
    await paypal.subscribe(it)
    await stripe.cancel(it)


VERBS: tuple[Verb, ...] = (
    *paypal.VERBS,
    *stripe.VERBS,
    switch_to_stripe,
    switch_to_paypal,
)

# Before them little can happen.
OPENINGS: tuple[Verb, ...] = (paypal.top_up, paypal.subscribe, stripe.top_up, stripe.subscribe)

# From the first payment to two switches of provider, with everything that may go back.
WHOLE_STORY: tuple[Verb, ...] = (
    paypal.top_up,
    paypal.refund_a_part,
    paypal.refund_a_part,
    paypal.fail_a_refund,
    paypal.subscribe,
    paypal.renew,
    paypal.fail_to_pay,
    paypal.dispute,
    paypal.win_a_dispute,
    paypal.reverse,
    paypal.suspend,
    paypal.reactivate,
    paypal.fail_to_pay,
    paypal.renew,
    paypal.refund_a_part,
    paypal.refund_the_rest,
    paypal.dispute,
    switch_to_stripe,
    paypal.lose_a_dispute,
    stripe.refund_a_part,
    stripe.fail_to_pay,
    stripe.pay_up,
    stripe.renew,
    stripe.refund_a_part,
    stripe.fail_a_refund,
    stripe.refund_a_part_later,
    stripe.let_a_refund_arrive,
    stripe.dispute,
    stripe.win_a_dispute,
    stripe.top_up,
    stripe.refund_a_part,
    stripe.refund_the_rest,
    stripe.dispute,
    stripe.win_a_dispute,
    stripe.top_up,
    stripe.refund_a_part_later,
    stripe.fail_a_refund,
    stripe.inquire,
    stripe.close_an_inquiry,
    stripe.dispute,
    stripe.lose_a_dispute,
    stripe.warn,
    stripe.fail_to_pay,
    stripe.stay_unpaid,
    switch_to_paypal,
    paypal.dispute_as_stolen,
    stripe.subscribe,
    stripe.end_later,
    stripe.come_to_the_periods_end,
    paypal.top_up_later,
    paypal.let_it_come,
    paypal.cancel,
    paypal.subscribe,
    paypal.fail_to_pay,
    stripe.subscribe,
    stripe.end_later,
)


async def play(
    it: Organization,
    story: Sequence[Verb],
    hear: Callable[[Sequence[Told]], Awaitable[None]] | None = None,
) -> list[Told]:
    """Let a story happen, and return everything that is to be told of it, in order.

    What cannot happen there, such as the refund of nothing, does not. Of each verb is heard what
    there is to be told, a while after it.
    """
    told: list[Told] = []
    begin = datetime.now(UTC) - BEGIN
    it.begin = it.begin or begin
    it.providers.set_time(begin)
    for verb in story:
        with suppress(PayPalError, StripeError, IndexError):
            await verb(it)
        it.providers.advance(STEP)
        news = it.providers.take_told()
        told += news
        if hear is not None:
            await hear(news)
    it.providers.set_time(datetime.now(UTC))
    return told
