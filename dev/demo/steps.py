"""The story itself, step by step."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from dev.demo.organization import CAMPAIGN_NAMES
from dev.demo.story import Story
from dev.demo.words import each, money, short
from dev.stripe_simulator import JsonObject, subscription_event, top_up_event

TOP_UP_CENTS = 2_500
SECOND_TOP_UP_CENTS = 1_000
THIRD_TOP_UP_CENTS = 500
MICROS_PER_CENT = 10_000
MESSAGE_MICROS = 7_500
PERIOD = timedelta(days=30)

MANUALLY_PAUSED = "autumn"
OTHERS = ("spring", "summer")


async def subscribe(story: Story) -> None:
    platform, sights = story.platform, story.sights
    await story.asks("billing_gateway", "LinkSubscription", platform.link_subscription(), "linked")
    await story.stripe_sends(subscription_change(story, "created", "active"))
    await story.sees("billing_gateway", sights.subscription, "ACTIVE, in good standing")
    await story.sees("wallet", sights.wallet, "0.00 USD, depleted")
    await story.sees("campaign", sights.eligibility, "not eligible: WALLET_DEPLETED")


async def top_up(story: Story) -> None:
    await story.stripe_sends(paid(story, TOP_UP_CENTS))
    await story.sees("wallet", story.sights.wallet, "25.00 USD")
    await story.sees("campaign", story.sights.eligibility, "eligible")


async def register_subaccounts(story: Story) -> None:
    for account_sid in story.organization.account_sids:
        what = f"RegisterSubaccount {short(account_sid)}"
        answer = story.platform.register_subaccount(account_sid)
        await story.asks("telephony", what, answer, "registered")
    await sees_subaccounts(story, "ACTIVE")


async def start_campaigns(story: Story) -> None:
    platform = story.platform
    for name in CAMPAIGN_NAMES:
        created = platform.create_campaign(name)
        await story.asks("campaign", f"CreateCampaign {name}", created, "DRAFT")
        started = platform.start_campaign(name)
        await story.asks("campaign", f"StartCampaign {name}", started, "RUNNING")
    await story.sees("telephony", story.sights.sending, "may send")


async def spend_everything(story: Story) -> None:
    sights = story.sights
    rest_micros = TOP_UP_CENTS * MICROS_PER_CENT - MESSAGE_MICROS
    await debits(story, MESSAGE_MICROS, "message-1", "24.9925 USD left")
    await debits(story, rest_micros, "message-2", "0.00 USD left")
    await story.sees("wallet", sights.wallet, "0.00 USD, depleted")
    paused = each(CAMPAIGN_NAMES, "PAUSED (WALLET_DEPLETED)")
    await story.sees("campaign", sights.campaigns, paused)
    await story.sees("telephony", sights.sending, "may not send: WALLET_DEPLETED")
    await debits(story, rest_micros, "message-2", "0.00 USD left, replayed")
    await debits(story, MESSAGE_MICROS, "message-3", "refused: INSUFFICIENT_FUNDS")


async def top_up_again(story: Story) -> None:
    await story.stripe_sends(paid(story, SECOND_TOP_UP_CENTS))
    await story.sees("wallet", story.sights.wallet, "10.00 USD")
    await story.sees("campaign", story.sights.campaigns, each(CAMPAIGN_NAMES, "RUNNING"))
    await story.sees("telephony", story.sights.sending, "may send")


async def pause_one_by_hand(story: Story) -> None:
    paused = story.platform.pause_campaign(MANUALLY_PAUSED)
    await story.asks("campaign", f"PauseCampaign {MANUALLY_PAUSED}", paused, "PAUSED")
    await sees_others(story, "RUNNING")


async def fall_behind(story: Story) -> None:
    sights = story.sights
    await story.stripe_sends(subscription_change(story, "updated", "past_due"))
    await story.sees("billing_gateway", sights.subscription, "PAST_DUE, not in good standing")
    await story.sees("wallet", sights.wallet, "10.00 USD, frozen (SUBSCRIPTION_INACTIVE)")
    await sees_others(story, "PAUSED (SUBSCRIPTION_INACTIVE)")
    await sees_subaccounts(story, "SUSPENDED")
    blockers = "SUBSCRIPTION_INACTIVE, WALLET_FROZEN, SUBACCOUNT_NOT_ACTIVE"
    await story.sees("telephony", sights.sending, f"may not send: {blockers}")
    await debits(story, MESSAGE_MICROS, "message-4", "refused: WALLET_FROZEN")


async def catch_up(story: Story) -> None:
    sights = story.sights
    await story.stripe_sends(subscription_change(story, "updated", "active"))
    await story.sees("billing_gateway", sights.subscription, "ACTIVE, in good standing")
    await story.sees("wallet", sights.wallet, "10.00 USD")
    await sees_others(story, "RUNNING")
    await sees_subaccounts(story, "ACTIVE")
    await story.sees("telephony", sights.sending, "may send")
    await debits(story, MESSAGE_MICROS, "message-4", "9.9925 USD left")


async def deliver_thrice(story: Story) -> None:
    payment = paid(story, THIRD_TOP_UP_CENTS)
    for _ in range(3):
        await story.stripe_sends(payment)
    await story.sees("wallet", story.sights.wallet, "14.9925 USD")
    payment_id = f"stripe:{payment['data']['object']['payment_intent']}"
    look_at_payment = partial(story.sights.payment, payment_id)
    await story.sees("billing_gateway", look_at_payment, "credited 5.00 USD")
    await story.sees("wallet", partial(story.sights.entries, payment_id), "PAYMENT 5.00 USD")


def subscription_change(story: Story, kind: str, status: str) -> JsonObject:
    time = story.next_stripe_time()
    return subscription_event(story.organization.customer, kind, status, time, time + PERIOD)


def paid(story: Story, cents: int) -> JsonObject:
    return top_up_event(story.organization.customer, cents, story.next_stripe_time())


async def debits(story: Story, amount_micros: int, reference_id: str, told: str) -> None:
    """The platform asks whether it may send one message, by paying for it."""
    answer = story.platform.debit(amount_micros, reference_id)
    await story.asks("wallet", f"Debit {money(amount_micros)}, {reference_id}", answer, told)


async def sees_others(story: Story, state: str) -> None:
    """All campaigns but the one that was paused by hand are so; that one stays paused."""
    told = f"{each(OTHERS, state)}\n{MANUALLY_PAUSED} PAUSED (MANUAL_PAUSE)"
    await story.sees("campaign", story.sights.campaigns, told)


async def sees_subaccounts(story: Story, state: str) -> None:
    """Telephony believes it, and at Twilio it is so."""
    names = [short(account_sid) for account_sid in story.organization.account_sids]
    believed = each(names, f"{state}, wanted {state}")
    await story.sees("telephony", story.sights.subaccounts, believed)
    await story.sees("Twilio", story.sights.twilio, each(names, state.lower()))


STEPS: tuple[tuple[str, Callable[[Story], Awaitable[None]]], ...] = (
    ("The subscription becomes active", subscribe),
    ("25.00 USD are paid in", top_up),
    ("Two Twilio subaccounts are registered", register_subaccounts),
    ("Three campaigns start", start_campaigns),
    (
        "The last message takes the last of the money: campaigns pause by themselves",
        spend_everything,
    ),
    ("10.00 USD are paid in: campaigns run again by themselves", top_up_again),
    ("One campaign is paused by hand", pause_one_by_hand),
    ("The subscription is past due: nothing can be spent or sent", fall_behind),
    ("The subscription is paid: all is lifted but the manual pause", catch_up),
    ("Stripe delivers one payment three times: it is credited once", deliver_thrice),
)
