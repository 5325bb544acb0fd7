"""The story itself, step by step."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from dev.demo.organization import CAMPAIGN_NAMES
from dev.demo.story import PROVIDER_NAMES, Story
from dev.demo.words import each, money, short

MICROS_PER_CENT = 10_000
MESSAGE_MICROS = 7_500

STRIPE_PLAN, PAYPAL_PLAN = "price_basic", "P-BASIC"
# What either plan costs, and all that there is at first.
PRICE_MICROS = 20_000_000

STRIPE_TOP_UP, REPEATED_TOP_UP, PAYPAL_TOP_UP = "top-up-1", "top-up-2", "top-up-3"
PAYPAL_SUBSCRIPTION = "subscription-1"

MANUALLY_PAUSED = "autumn"
OTHERS = ("spring", "summer")


async def subscribe(story: Story) -> None:
    platform, sights = story.platform, story.sights
    story.stripe_subscription_id = await story.happens(
        "stripe",
        f"somebody subscribes to {STRIPE_PLAN}, and pays {money(PRICE_MICROS)}",
        "subscribe",
        price_id=STRIPE_PLAN,
        amount=PRICE_MICROS // MICROS_PER_CENT,
    )
    linked = platform.link_subscription(story.stripe_subscription_id)
    await story.asks("billing_gateway", "LinkSubscription", linked, "linked")
    await story.sees("billing_gateway", sights.subscription, "ACTIVE, in good standing")
    await story.sees("wallet", sights.wallet, "20.00 USD")
    await story.sees("campaign", sights.eligibility, "eligible")


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
    rest_micros = PRICE_MICROS - MESSAGE_MICROS
    await debits(story, MESSAGE_MICROS, "message-1", "19.9925 USD left")
    await debits(story, rest_micros, "message-2", "0.00 USD left")
    await story.sees("wallet", sights.wallet, "0.00 USD, depleted")
    paused = each(CAMPAIGN_NAMES, "PAUSED (WALLET_DEPLETED)")
    await story.sees("campaign", sights.campaigns, paused)
    await story.sees("telephony", sights.sending, "may not send: WALLET_DEPLETED")
    await debits(story, rest_micros, "message-2", "0.00 USD left, replayed")
    await debits(story, MESSAGE_MICROS, "message-3", "refused: INSUFFICIENT_FUNDS")


async def top_up_with_stripe(story: Story) -> None:
    await pays_in(story, "stripe", 25_000_000, STRIPE_TOP_UP)
    await story.sees("wallet", story.sights.wallet, "25.00 USD")
    await sees_payment(story, STRIPE_TOP_UP, "PAID, credited 25.00 USD")
    await story.sees("campaign", story.sights.campaigns, each(CAMPAIGN_NAMES, "RUNNING"))
    await story.sees("telephony", story.sights.sending, "may send")


async def deliver_thrice(story: Story) -> None:
    await story.deliver_so_often("stripe", 3)
    try:
        await pays_in(story, "stripe", 5_000_000, REPEATED_TOP_UP)
    finally:
        await story.deliver_so_often("stripe", 1)
    await story.sees("wallet", story.sights.wallet, "30.00 USD")
    look_at_entries = partial(story.sights.entries, story.platform.payment_id(REPEATED_TOP_UP))
    await story.sees("wallet", look_at_entries, "PAYMENT 5.00 USD")


async def top_up_with_paypal(story: Story) -> None:
    await pays_in(story, "paypal", 10_000_000, PAYPAL_TOP_UP)
    await sees_payment(story, PAYPAL_TOP_UP, "PAID, credited 10.00 USD")
    await story.sees("wallet", story.sights.wallet, "40.00 USD")


async def refund_in_two_parts(story: Story) -> None:
    told = "PARTIALLY_REVERSED, credited 25.00 USD, reversed"
    await refunds(story, STRIPE_TOP_UP, 5_000_000)
    await sees_payment(story, STRIPE_TOP_UP, f"{told} 5.00 USD")
    await story.sees("wallet", story.sights.wallet, "35.00 USD")
    await refunds(story, STRIPE_TOP_UP, 7_500_000)
    await sees_payment(story, STRIPE_TOP_UP, f"{told} 12.50 USD")
    await story.sees("wallet", story.sights.wallet, "27.50 USD")


async def dispute(story: Story) -> None:
    capture_id = await story.sights.money_id(story.platform.payment_id(PAYPAL_TOP_UP))
    what = "the customer disputes the 10.00 USD"
    dispute_id = await story.happens("paypal", what, "open_dispute", payment_id=capture_id)
    await sees_payment(story, PAYPAL_TOP_UP, "PAID, credited 10.00 USD, at risk 10.00 USD")
    await story.sees("wallet", story.sights.wallet, "27.50 USD, 10.00 USD held")
    await debits(story, 20_000_000, "message-4", "refused: INSUFFICIENT_FUNDS")
    await story.happens(
        "paypal",
        "the dispute ends in our favour",
        "resolve_dispute",
        dispute_id=dispute_id,
        outcome="RESOLVED_SELLER_FAVOUR",
    )
    await sees_payment(story, PAYPAL_TOP_UP, "PAID, credited 10.00 USD")
    await story.sees("wallet", story.sights.wallet, "27.50 USD")


async def pause_one_by_hand(story: Story) -> None:
    paused = story.platform.pause_campaign(MANUALLY_PAUSED)
    await story.asks("campaign", f"PauseCampaign {MANUALLY_PAUSED}", paused, "PAUSED")
    await sees_others(story, "RUNNING")


async def fall_behind(story: Story) -> None:
    sights = story.sights
    called = story.organization.account_sids[0]
    await story.happens(
        "twilio",
        f"somebody calls a number of {short(called)}, and is answered",
        "receive_call",
        account_sid=called,
        caller="+15550100",
        to="+15550101",
    )
    await renewal_fails(story)
    await story.sees("wallet", sights.wallet, "27.50 USD, frozen (SUBSCRIPTION_INACTIVE)")
    await sees_others(story, "PAUSED (SUBSCRIPTION_INACTIVE)")
    await sees_subaccounts(story, "SUSPENDED")
    blockers = "SUBSCRIPTION_INACTIVE, WALLET_FROZEN, SUBACCOUNT_NOT_ACTIVE"
    await story.sees("telephony", sights.sending, f"may not send: {blockers}")
    await story.sees("telephony", partial(sights.aftermath, called), "calls ended: 1, nothing left")
    await debits(story, MESSAGE_MICROS, "message-4", "refused: WALLET_FROZEN")


async def change_in_console(story: Story) -> None:
    await story.happens_in_console(story.organization.account_sids[0], "active")
    looked_at = story.platform.reconcile()
    await story.asks("telephony", "ReconcileSubaccounts", looked_at, "looked at")
    await sees_subaccounts(story, "SUSPENDED")


async def catch_up(story: Story) -> None:
    sights = story.sights
    what = f"the {money(PRICE_MICROS)} are paid after all"
    await story.happens("stripe", what, "pay_invoice", invoice_id=story.stripe_invoice_id)
    await story.sees("billing_gateway", sights.subscription, "ACTIVE, in good standing")
    await story.sees("wallet", sights.wallet, "47.50 USD")
    await sees_others(story, "RUNNING")
    await sees_subaccounts(story, "ACTIVE")
    await story.sees("telephony", sights.sending, "may send")
    await debits(story, MESSAGE_MICROS, "message-4", "47.4925 USD left")


async def grant_grace(story: Story) -> None:
    sights = story.sights
    await renewal_fails(story)
    await sees_others(story, "PAUSED (SUBSCRIPTION_INACTIVE)")
    granted = story.platform.grant_grace(datetime.now(UTC) + timedelta(days=1))
    told = "PAST_DUE, in good standing"
    await story.asks("billing_gateway", "GrantGrace until tomorrow", granted, told)
    await story.sees("wallet", sights.wallet, "47.4925 USD")
    await sees_others(story, "RUNNING")
    await sees_subaccounts(story, "ACTIVE")
    await story.sees("telephony", sights.sending, "may send")
    await debits(story, MESSAGE_MICROS, "message-5", "47.485 USD left")


async def switch_to_paypal(story: Story) -> None:
    platform, sights = story.platform, story.sights
    created = platform.create_subscription(PAYPAL_PLAN, PAYPAL_SUBSCRIPTION)
    await story.asks("billing_gateway", f"CreateSubscription {PAYPAL_PLAN}", created, "PENDING")
    approved = platform.agree("paypal", PAYPAL_SUBSCRIPTION)
    await story.asks("PayPal", "the customer approves", approved, "sent back to the platform")
    await story.sees("billing_gateway", sights.subscriptions, "PAYPAL ACTIVE\nSTRIPE PAST_DUE")
    await story.sees("wallet", sights.wallet, "67.485 USD")
    canceled = platform.cancel_subscription(story.stripe_subscription_id)
    await story.asks("billing_gateway", "CancelSubscription at Stripe", canceled, "CANCELED")
    taken_back = platform.grant_grace(datetime.now(UTC) - timedelta(seconds=1))
    told = "ACTIVE, in good standing"
    await story.asks("billing_gateway", "GrantGrace until a second ago", taken_back, told)
    await story.sees("billing_gateway", sights.subscriptions, "PAYPAL ACTIVE\nSTRIPE CANCELED")
    await sees_others(story, "RUNNING")
    await story.sees("telephony", sights.sending, "may send")


async def pays_in(story: Story, provider: str, amount_micros: int, reference_id: str) -> None:
    """The platform asks for a page, and the customer pays there."""
    name = PROVIDER_NAMES[provider]
    what = f"CreateTopUp {money(amount_micros)} with {name}"
    created = story.platform.create_top_up(provider, amount_micros, reference_id)
    await story.asks("billing_gateway", what, created, "PENDING")
    paid = story.platform.agree(provider, reference_id)
    await story.asks(name, "the customer pays there", paid, "sent back to the platform")


async def refunds(story: Story, reference_id: str, amount_micros: int) -> None:
    """The platform gives back a part of what was paid with Stripe."""
    intent_id = await story.sights.money_id(story.platform.payment_id(reference_id))
    cents = amount_micros // MICROS_PER_CENT
    what = f"{money(amount_micros)} are refunded"
    await story.happens("stripe", what, "refund", intent_id=intent_id, amount=cents)


async def renewal_fails(story: Story) -> None:
    story.stripe_invoice_id = await story.happens(
        "stripe",
        f"the next {money(PRICE_MICROS)} cannot be collected",
        "fail_renewal",
        subscription_id=story.stripe_subscription_id,
    )
    told = "PAST_DUE, not in good standing"
    await story.sees("billing_gateway", story.sights.subscription, told)


async def debits(story: Story, amount_micros: int, reference_id: str, told: str) -> None:
    """The platform asks whether it may send one message, by paying for it."""
    answer = story.platform.debit(amount_micros, reference_id)
    await story.asks("wallet", f"Debit {money(amount_micros)}, {reference_id}", answer, told)


async def sees_payment(story: Story, reference_id: str, told: str) -> None:
    look_at_payment = partial(story.sights.payment, story.platform.payment_id(reference_id))
    await story.sees("billing_gateway", look_at_payment, told)


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
    ("A subscription made at Stripe is linked: what it paid is credited", subscribe),
    ("Two Twilio subaccounts are registered", register_subaccounts),
    ("Three campaigns start", start_campaigns),
    (
        "The last message takes the last of the money: campaigns pause by themselves",
        spend_everything,
    ),
    ("25.00 USD are paid in with Stripe: campaigns run again by themselves", top_up_with_stripe),
    ("Stripe delivers each event three times: a payment is credited once", deliver_thrice),
    ("10.00 USD are approved at PayPal: the gateway captures them", top_up_with_paypal),
    ("A payment is refunded in two parts", refund_in_two_parts),
    ("A payment is disputed: it cannot be spent until the dispute is won", dispute),
    ("One campaign is paused by hand", pause_one_by_hand),
    ("The subscription is past due: nothing can be spent or sent", fall_behind),
    ("Somebody activates a subaccount in Twilio's console: it is found out", change_in_console),
    ("The subscription is paid: all is lifted but the manual pause", catch_up),
    ("It is past due again, and an operator grants a day's grace", grant_grace),
    ("A subscription at PayPal takes over", switch_to_paypal),
)
