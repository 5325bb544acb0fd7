"""CreateTopUp and CreateSubscription: once for each reference, whatever breaks in between."""

import asyncio

import pytest

from services.billing_gateway.domain.observations import SubscriptionClaimed
from services.billing_gateway.domain.values import CheckoutState, Provider
from services.billing_gateway.ports import AmountRefusedError, ProviderRefusedError
from tests.integration.billing_gateway.checkouts_asked import (
    STRIPE,
    create_subscription,
    create_top_up,
    paid,
    payment_of,
    stands,
)
from tests.integration.billing_gateway.subscriptions_told import history_of, query, tell
from tests.support.errors import refusal
from tests.support.fake_provider import FakeProvider
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
    payment_pb2,
    subscription_pb2,
)
from tollgate.wallet.v1 import wallet_service_pb2

CALLERS = 20


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Checkouts are made although the wallet is away."""
    return ("billing_gateway",)


async def test_a_repeated_reference_is_answered_as_the_first_time(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    first = await create_top_up(fake_stack)
    assert not first.replayed
    [made] = paypal.made.values()
    assert first.checkout_url == made.url
    assert first.payment.payment_id == f"paypal:{made.checkout_id}"
    assert first.payment.state == payment_pb2.PAYMENT_STATE_PENDING
    assert first.payment.checkout_reference_id == "top-up-1"

    again = await create_top_up(fake_stack)

    assert again.replayed
    assert (again.checkout_url, again.payment) == (first.checkout_url, first.payment)
    assert paypal.count("create_top_up") == 1


async def test_many_callers_with_one_reference_get_one_checkout(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    answers = await asyncio.gather(*(create_top_up(fake_stack) for _ in range(CALLERS)))
    assert len(paypal.made) == 1
    assert {answer.checkout_url for answer in answers} == {answers[0].checkout_url}
    assert sum(not answer.replayed for answer in answers) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"provider": STRIPE}, "provider"),
        ({"amount_micros": 25_010_000}, "amount_micros"),
        ({"currency_code": "EUR"}, "currency_code"),
        ({"return_url": "https://example.com/other"}, "return_url"),
        ({"cancel_url": "https://example.com/other"}, "cancel_url"),
    ],
)
async def test_a_reference_does_not_stand_for_another_top_up(
    fake_stack: Stack, change: dict[str, object], field: str
) -> None:
    await create_top_up(fake_stack)
    found = await refusal(create_top_up(fake_stack, **change))
    assert found.reason == "REFERENCE_CONFLICT"
    assert found.metadata == {"referenceId": "top-up-1", "differingFields": field}


async def test_a_reference_does_not_stand_for_another_kind_or_plan(fake_stack: Stack) -> None:
    await create_subscription(fake_stack)
    found = await refusal(create_subscription(fake_stack, plan_id="pro"))
    assert found.metadata["differingFields"] == "plan_id"
    found = await refusal(create_top_up(fake_stack, reference_id="subscribe-1"))
    assert found.metadata["differingFields"] == "amount_micros,currency_code,plan_id"
    assert not (await create_top_up(fake_stack, organization_id="org-2")).replayed


@pytest.mark.parametrize(
    ("refused", "reason", "fields"),
    [
        (ProviderRefusedError("not today"), "INVALID_STATE", []),
        (AmountRefusedError("too little"), "INVALID_ARGUMENT", ["amount_micros"]),
    ],
)
async def test_a_reference_that_was_refused_may_be_used_again(
    fake_stack: Stack,
    paypal: FakeProvider,
    refused: ProviderRefusedError,
    reason: str,
    fields: list[str],
) -> None:
    paypal.refusals["create_top_up"] = refused
    found = await refusal(create_top_up(fake_stack))
    assert (found.reason, found.fields) == (reason, fields)
    paypal.refusals.clear()

    answer = await create_top_up(fake_stack, amount_micros=50_000_000)

    assert not answer.replayed
    first, second = (call.subject for call in paypal.calls)
    assert first != second, "the key of what was refused would be answered the same again"
    # Now it stands for this.
    assert (await refusal(create_top_up(fake_stack))).reason == "REFERENCE_CONFLICT"


async def test_what_broke_off_is_gone_on_with_by_the_same_key(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    paypal.unavailable = True
    assert (await refusal(create_top_up(fake_stack))).reason == "PROVIDER_UNAVAILABLE"
    paypal.unavailable = False
    paypal.lost_answers = 1
    assert (await refusal(create_top_up(fake_stack))).reason == "PROVIDER_UNAVAILABLE"
    # Other content is refused although no answer has come yet.
    other = create_top_up(fake_stack, amount_micros=1_000_000)
    assert (await refusal(other)).reason == "REFERENCE_CONFLICT"
    await fake_stack.stop("billing_gateway")
    await fake_stack.start("billing_gateway")

    answer = await create_top_up(fake_stack)

    assert answer.replayed
    assert [made.url for made in paypal.made.values()] == [answer.checkout_url]
    assert len({call.subject for call in paypal.calls}) == 1


async def test_without_credentials_nothing_is_asked_and_nothing_kept(
    fake_stack: Stack, stripe: FakeProvider
) -> None:
    stripe.can_be_asked = False
    for asked in (create_top_up, create_subscription):
        assert (await refusal(asked(fake_stack, provider=STRIPE))).reason == "INVALID_STATE"
    assert stripe.calls == []
    assert await query(fake_stack, "SELECT FROM checkouts") == []


async def test_a_top_up_is_found_by_its_checkout_before_and_after_it_is_paid(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await create_top_up(fake_stack)
    [made] = paypal.made.values()

    async def listed() -> list[payment_pb2.Payment]:
        request = billing_gateway_service_payments_pb2.ListPaymentsRequest(organization_id="org-1")
        return list((await fake_stack.gateway.ListPayments(request)).payments)

    assert [each.payment_id for each in await listed()] == [f"paypal:{made.checkout_id}"]

    await tell(fake_stack, "WH-1", paid(made.checkout_id))

    payment = await payment_of(fake_stack, made.checkout_id)
    assert payment.payment_id == "paypal:CAPTURE1"
    assert payment.organization_id == "org-1"
    assert payment.state == payment_pb2.PAYMENT_STATE_PAID
    assert payment.checkout_reference_id == "top-up-1"
    assert [each.payment_id for each in await listed()] == ["paypal:CAPTURE1"]
    again = await create_top_up(fake_stack)
    assert (again.replayed, again.checkout_url) == (True, "")
    assert again.payment.payment_id == "paypal:CAPTURE1"
    assert again.payment.state == payment_pb2.PAYMENT_STATE_PAID


async def test_a_subscription_at_paypal_is_the_organizations_from_the_start(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    answer = await create_subscription(fake_stack)
    [made] = paypal.made.values()
    assert answer.approval_url == made.url
    assert answer.subscription.provider_subscription_id == made.subscription_id
    assert answer.subscription.state == subscription_pb2.SUBSCRIPTION_STATE_PENDING
    [change] = await history_of(fake_stack)
    assert (change["cause"], change["from_state"], change["to_state"]) == (
        "CREATE",
        None,
        "PENDING",
    )
    standing = await fake_stack.gateway.GetSubscription(
        billing_gateway_service_pb2.GetSubscriptionRequest(organization_id="org-1")
    )
    assert standing.deciding_subscription == answer.subscription
    assert not standing.level.good_standing

    again = await create_subscription(fake_stack)

    assert (again.replayed, again.approval_url) == (True, made.url)
    assert len(await history_of(fake_stack)) == 1


async def test_a_subscription_at_stripe_is_known_once_its_checkout_tells_it(
    fake_stack: Stack, stripe: FakeProvider
) -> None:
    answer = await create_subscription(fake_stack, provider=STRIPE)
    [made] = stripe.made.values()
    assert answer.subscription.provider_subscription_id == ""
    assert answer.subscription.plan_id == "basic"
    assert answer.approval_url == made.url

    claimed = SubscriptionClaimed("sub_1", "cus_1", made.checkout_id, None)
    completed = stands(made.checkout_id, CheckoutState.COMPLETED)
    await fake_stack.deliver_fake(Provider.STRIPE, "evt_1", claimed, completed)

    again = await eventually(
        lambda: create_subscription(fake_stack, provider=STRIPE),
        lambda it: it.subscription.provider_subscription_id == "sub_1",
    )
    assert again.subscription.organization_id == "org-1"
    assert again.approval_url == ""


class TestWithAWallet:
    """What the wallet has to say."""

    @pytest.fixture
    def stack_services(self) -> tuple[str, ...]:
        """The wallet as well."""
        return "wallet", "billing_gateway"

    async def test_a_top_up_in_another_currency_than_the_wallets_is_refused(
        self, fake_stack: Stack, paypal: FakeProvider
    ) -> None:
        await fake_stack.wallet.CreateWallet(
            wallet_service_pb2.CreateWalletRequest(organization_id="org-1", currency_code="EUR")
        )
        found = await refusal(create_top_up(fake_stack))
        assert found.reason == "CURRENCY_MISMATCH"
        assert found.metadata == {"walletCurrencyCode": "EUR", "requestedCurrencyCode": "USD"}
        assert paypal.calls == []
        assert (await create_top_up(fake_stack, currency_code="EUR")).checkout_url

    async def test_a_top_up_opens_the_wallet_in_its_currency(
        self, fake_stack: Stack, paypal: FakeProvider
    ) -> None:
        paypal.refusals["create_top_up"] = AmountRefusedError("a currency that it does not take")
        await refusal(create_top_up(fake_stack, currency_code="JPY"))
        del paypal.refusals["create_top_up"]
        await create_top_up(fake_stack, currency_code="EUR")
        assert (await wallet_of(fake_stack, "org-1")).currency_code == "EUR"

    async def test_a_paid_top_up_is_in_the_wallet(
        self, fake_stack: Stack, paypal: FakeProvider
    ) -> None:
        await create_top_up(fake_stack)
        [made] = paypal.made.values()
        await tell(fake_stack, "WH-1", paid(made.checkout_id))
        wallet = await eventually(
            lambda: wallet_of(fake_stack, "org-1"), lambda it: it.balance_micros > 0
        )
        assert wallet.balance_micros == 25_000_000
