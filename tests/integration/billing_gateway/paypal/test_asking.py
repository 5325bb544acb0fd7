"""What PayPal is asked, what comes of it, and what happens when it does not answer."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from dev.simulators.faults import (
    Echo,
    Fault,
    Hang,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.paypal import PayPalSimulator
from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    ComponentObserved,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.domain.values import (
    CheckoutState,
    ComponentKind,
    ComponentState,
    PaymentObject,
    PaymentProgress,
)
from services.billing_gateway.paypal.oauth import Credentials
from services.billing_gateway.paypal.provider import PayPalProvider
from services.billing_gateway.ports import (
    AmountRefusedError,
    Answer,
    PaymentProvider,
    ProviderError,
    ProviderRefusedError,
    ProviderUnavailableError,
    TopUpOrder,
    UnknownToProviderError,
)
from tests.integration.billing_gateway.paypal.asking import (
    CLAIM,
    CREDENTIALS,
    INTENT,
    PROOF,
    SUBSCRIBE,
    TIMEOUT_SECONDS,
    TOP_UP,
    Calls,
    open_provider,
)
from tests.support.provider_calls import calls_counted
from tests.support.services import free_address


def told(answer: Answer, kind: type) -> list[object]:
    return [each for each in answer.observations if isinstance(each, kind)]


def checkout_state(answer: Answer) -> CheckoutState:
    [checkout] = [each for each in answer.observations if isinstance(each, CheckoutObserved)]
    return checkout.state


async def test_it_is_a_payment_provider(provider: PayPalProvider) -> None:
    asked: PaymentProvider = provider
    assert asked.can_be_asked
    assert not asked.cancels_at_period_end


async def test_a_top_up_is_made_approved_and_captured(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    made = await provider.create_top_up(TOP_UP)
    assert made.subscription_id == ""
    assert made.url.startswith(f"{paypal.base_url}/checkoutnow?")
    order = paypal.account.order(made.checkout_id)
    assert (order.amount, order.currency, order.invoice_id) == ("25.00", "USD", INTENT)
    assert order.custom_id == f"org-1:{INTENT}:{PROOF}"
    assert checkout_state(await provider.fetch_checkout(made.checkout_id)) is CheckoutState.OPEN

    paypal.account.approve_order(made.checkout_id)
    state = checkout_state(await provider.fetch_checkout(made.checkout_id))
    assert state is CheckoutState.APPROVED

    answer = await provider.complete_top_up(made.checkout_id, f"{INTENT}-1")
    assert checkout_state(answer) is CheckoutState.COMPLETED
    [paid] = told(answer, PaymentPaid)
    assert isinstance(paid, PaymentPaid)
    assert (paid.paid_micros, paid.currency_code, paid.claim) == (25_000_000, "USD", CLAIM)
    assert paid.checkout_id == made.checkout_id
    assert paid.objects == (PaymentObject(order.capture_ids[0], 0),)
    assert abs(answer.provider_time - paypal.clock.now()) < timedelta(seconds=5)


async def test_what_an_answer_says_of_a_payment_its_event_says_as_well(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    made = await provider.create_top_up(TOP_UP)
    paypal.account.approve_order(made.checkout_id)
    answer = await provider.complete_top_up(made.checkout_id, "key")
    [event] = [each for each in paypal.events if each.event_type == "PAYMENT.CAPTURE.COMPLETED"]
    translation = provider.translate(event.body, paypal.clock.now())
    fetched = await provider.fetch_checkout(made.checkout_id)
    [paid] = told(answer, PaymentPaid)
    assert isinstance(paid, PaymentPaid)
    expected = (paid,)
    assert getattr(translation, "observations", None) == expected
    assert told(fetched, PaymentPaid) == [paid]


async def test_a_capture_happens_once_whoever_asks_how_often(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    made = await provider.create_top_up(TOP_UP)
    paypal.account.approve_order(made.checkout_id)
    paypal.faults.set(LostAnswer(), "capture_order", times=1)
    keys = ["a", "a", "b", "c"]
    answers = await asyncio.gather(
        *(provider.complete_top_up(made.checkout_id, key) for key in keys)
    )
    assert len(paypal.account.books.payments) == 1
    paid = [told(each, PaymentPaid) for each in answers]
    assert all(each == paid[0] for each in paid)
    assert len(paid[0]) == 1


async def test_what_was_declined_must_be_approved_anew(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    made = await provider.create_top_up(TOP_UP)
    anew = (CheckoutObserved(made.checkout_id, CheckoutState.APPROVED, None),)
    early = await provider.complete_top_up(made.checkout_id, "early")
    assert early.observations == anew

    paypal.account.next_captures.append("DECLINED")
    paypal.account.approve_order(made.checkout_id)
    declined = await provider.complete_top_up(made.checkout_id, "first")
    assert declined.observations == anew
    assert checkout_state(await provider.fetch_checkout(made.checkout_id)) is CheckoutState.OPEN

    paypal.account.approve_order(made.checkout_id)
    answer = await provider.complete_top_up(made.checkout_id, "second")
    assert checkout_state(answer) is CheckoutState.COMPLETED
    assert len(told(answer, PaymentPaid)) == 1
    assert len(told(answer, PaymentProgressed)) == 1


async def test_a_capture_may_take_its_time(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    made = await provider.create_top_up(TOP_UP)
    paypal.account.next_captures.append("PENDING")
    paypal.account.approve_order(made.checkout_id)
    answer = await provider.complete_top_up(made.checkout_id, "first")
    assert checkout_state(answer) is CheckoutState.PENDING
    [progressed] = told(answer, PaymentProgressed)
    assert isinstance(progressed, PaymentProgressed)
    assert progressed.progress is PaymentProgress.PENDING
    capture_id = progressed.objects[0].object_id
    paypal.account.settle_capture(capture_id, completed=False)
    failed = await provider.fetch_checkout(made.checkout_id)
    assert checkout_state(failed) is CheckoutState.FAILED


@pytest.mark.parametrize(
    ("amount_micros", "currency_code"),
    [(25_001_000, "USD"), (500_500_000, "JPY"), (1_000_000, "KWD"), (0, "USD"), (-1, "USD")],
)
async def test_an_amount_that_paypal_does_not_take_is_refused_before_it_is_asked(
    provider: PayPalProvider, paypal: PayPalSimulator, amount_micros: int, currency_code: str
) -> None:
    order = TopUpOrder(INTENT, CLAIM, amount_micros, currency_code, "https://a", "https://b")
    with pytest.raises(AmountRefusedError):
        await provider.create_top_up(order)
    assert paypal.requests == []


@pytest.mark.parametrize(
    ("claim", "custom_id"),
    [
        (Claim("o" * 61, INTENT, PROOF), f"{'o' * 61}:{INTENT}:{PROOF}"),
        (Claim("o" * 62, INTENT, PROOF), None),
        (Claim("o" * 127), "o" * 127),
        (Claim("o" * 128), None),
    ],
)
async def test_a_claim_that_does_not_fit_is_not_cut_short(
    provider: PayPalProvider, paypal: PayPalSimulator, claim: Claim, custom_id: str | None
) -> None:
    order = TopUpOrder(INTENT, claim, 1_000_000, "USD", "https://a", "https://b")
    made = await provider.create_top_up(order)
    assert paypal.account.order(made.checkout_id).custom_id == custom_id


async def test_a_subscription_is_made_and_looked_at(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    made = await provider.create_subscription(SUBSCRIBE)
    assert made.checkout_id == made.subscription_id
    assert "/webapps/billing/subscriptions?ba_token=" in made.url
    subscription_id = made.subscription_id
    assert checkout_state(await provider.fetch_checkout(subscription_id)) is CheckoutState.OPEN

    sale_id = paypal.account.approve_subscription(subscription_id)
    checkout = await provider.fetch_checkout(subscription_id)
    assert checkout_state(checkout) is CheckoutState.COMPLETED
    look = await provider.fetch_subscription(subscription_id)
    assert look.observations == checkout.observations[1:]
    state, paid = look.observations
    assert isinstance(state, SubscriptionObserved)
    assert isinstance(paid, SubscriptionPaid)
    assert (state.state, state.plan_id, state.claim) == (SubscriptionState.ACTIVE, "P-1", CLAIM)
    assert (state.confirmed, state.rank, state.details_time) == (True, -1, look.provider_time)
    books = paypal.account.subscription(subscription_id)
    assert state.provider_time == books.status_update_time
    assert state.current_period_end_time == books.next_billing_time
    assert paid.provider_time == paypal.account.payment(sale_id).create_time


async def test_a_look_tells_of_a_failure_that_nothing_was_paid_after(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    subscription_id = (await provider.create_subscription(SUBSCRIBE)).subscription_id
    paypal.account.approve_subscription(subscription_id)
    paypal.clock.advance(timedelta(days=30))
    paypal.account.fail_payment(subscription_id)
    look = await provider.fetch_subscription(subscription_id)
    [failed] = told(look, SubscriptionPaymentFailed)
    assert isinstance(failed, SubscriptionPaymentFailed)
    failure = paypal.account.subscription(subscription_id).last_failure
    assert failure is not None
    assert failed.provider_time == failure.time
    paypal.clock.advance(timedelta(days=5))
    paypal.account.renew(subscription_id)
    look = await provider.fetch_subscription(subscription_id)
    assert told(look, SubscriptionPaymentFailed) == []


async def test_a_subscription_is_suspended_reactivated_and_ended(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    subscription_id = (await provider.create_subscription(SUBSCRIBE)).subscription_id
    paypal.account.approve_subscription(subscription_id)
    paypal.account.suspend(subscription_id)
    await provider.reactivate_subscription(subscription_id, note="paid by wire")
    assert paypal.account.subscription(subscription_id).status == "ACTIVE"
    with pytest.raises(ProviderRefusedError, match="SUBSCRIPTION_STATUS_INVALID"):
        await provider.reactivate_subscription(subscription_id, note="")
    with pytest.raises(ProviderRefusedError, match="at once"):
        await provider.cancel_subscription(subscription_id, at_period_end=True, note="")
    assert paypal.account.subscription(subscription_id).status == "ACTIVE"
    await provider.cancel_subscription(subscription_id, at_period_end=False, note="n" * 500)
    [look, *_] = (await provider.fetch_subscription(subscription_id)).observations
    assert isinstance(look, SubscriptionObserved)
    assert look.state is SubscriptionState.CANCELED
    with pytest.raises(ProviderRefusedError):
        await provider.cancel_subscription(subscription_id, at_period_end=False, note="")


async def test_any_part_of_a_payment_leads_to_it_and_never_to_a_credit(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    """What was paid before Tollgate came would be credited once more when it is refunded."""
    subscription_id = (await provider.create_subscription(SUBSCRIBE)).subscription_id
    sale_id = paypal.account.approve_subscription(subscription_id)
    made = await provider.create_top_up(TOP_UP)
    paypal.account.approve_order(made.checkout_id)
    await provider.complete_top_up(made.checkout_id, "key")
    [capture_id] = paypal.account.order(made.checkout_id).capture_ids
    for payment_id in (sale_id, capture_id):
        assert (await provider.resolve(payment_id)).observations == ()
        for part_id in (
            paypal.account.refund(payment_id, "1.00"),
            paypal.account.reverse(payment_id, "2.00"),
        ):
            linked, part = (await provider.resolve(part_id)).observations
            assert linked == PaymentLinked(
                (PaymentObject(payment_id, 0), PaymentObject(part_id, 9))
            )
            assert isinstance(part, ComponentObserved)
            assert part.component.state is ComponentState.SUCCEEDED
            assert part.component.kind is ComponentKind.REFUND
    checkout = await provider.fetch_checkout(made.checkout_id)
    assert len(told(checkout, ComponentObserved)) == 2


@pytest.mark.parametrize("object_id", ["NOWHERE", "I-NOWHERE", "../x", "", "a?b", "a/b", "a" * 65])
async def test_what_paypal_does_not_know(
    provider: PayPalProvider, paypal: PayPalSimulator, object_id: str
) -> None:
    for ask in (provider.resolve, provider.fetch_checkout, provider.fetch_subscription):
        with pytest.raises(UnknownToProviderError):
            await ask(object_id)
    assert all(each.path.endswith(object_id) for each in paypal.requests if each.call != "token")


async def test_a_token_is_fetched_once_and_again_when_it_is_not_taken(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    calls = Calls(paypal)
    await asyncio.gather(*(provider.create_top_up(TOP_UP) for _ in range(20)))
    assert len(calls.of("token")) == 1
    paypal.revoke_tokens()
    await provider.create_top_up(TOP_UP)
    assert len(calls.of("token")) == 2


async def test_wrong_credentials_are_a_refusal_and_not_repeated(paypal: PayPalSimulator) -> None:
    provider = open_provider(
        paypal, CollectorRegistry(), credentials=Credentials("client-1", "wrong-canary")
    )
    with pytest.raises(ProviderRefusedError, match="id and secret") as refused:
        await provider.create_top_up(TOP_UP)
    await provider.close()
    assert len(paypal.requests) == 1
    assert "canary" not in repr(refused.value)


async def test_a_token_that_is_refused_again_is_a_refusal(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    paypal.faults.set(Refusal("AUTHENTICATION_FAILURE", 401), "create_order")
    with pytest.raises(ProviderRefusedError, match="AUTHENTICATION_FAILURE"):
        await provider.create_top_up(TOP_UP)
    assert len(Calls(paypal).of("create_order")) == 2


async def test_a_refusal_that_quotes_the_token_tells_nothing_of_it(
    provider: PayPalProvider, paypal: PayPalSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    paypal.faults.set(Echo(400), "create_order")
    with pytest.raises(ProviderRefusedError) as refused:
        await provider.create_top_up(TOP_UP)
    assert str(refused.value) == "PayPal refused"
    assert "Bearer" not in capsys.readouterr().out


PASSING = [Unavailable(500), Unavailable(503), TooManyRequests(), LostAnswer(), Hang()]
BUSY = [Refusal("PREVIOUS_REQUEST_IN_PROGRESS", 422), Refusal("CONFLICT", 409)]


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        *(("token", fault) for fault in PASSING),
        *(("create_order", fault) for fault in [*PASSING, *BUSY]),
    ],
    ids=repr,
)
async def test_what_passes_by_itself_is_asked_again_by_the_same_key(
    provider: PayPalProvider, paypal: PayPalSimulator, call: str, fault: Fault
) -> None:
    paypal.faults.set(fault, call, times=1)
    made = await provider.create_top_up(TOP_UP)
    assert list(paypal.account.books.orders) == [made.checkout_id]
    assert set(Calls(paypal).of("create_order")) == {INTENT}
    assert await provider.create_top_up(TOP_UP) == made


async def test_a_change_is_asked_again_by_a_key_of_its_own(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    subscription_id = (await provider.create_subscription(SUBSCRIBE)).subscription_id
    paypal.account.approve_subscription(subscription_id)
    paypal.faults.set(LostAnswer(), "cancel_subscription", times=1)
    await provider.cancel_subscription(subscription_id, at_period_end=False, note="")
    keys = Calls(paypal).of("cancel_subscription")
    assert (len(keys), len(set(keys))) == (2, 1)
    assert keys[0]


async def test_a_no_is_not_asked_again(provider: PayPalProvider, paypal: PayPalSimulator) -> None:
    paypal.faults.set(Refusal("PAYEE_ACCOUNT_RESTRICTED", 422), "create_order")
    with pytest.raises(ProviderRefusedError, match="PAYEE_ACCOUNT_RESTRICTED"):
        await provider.create_top_up(TOP_UP)
    assert len(Calls(paypal).of("create_order")) == 1


async def test_how_long_to_wait_is_paypals_to_say(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    paypal.faults.set(TooManyRequests(retry_after_seconds=1), "create_order", times=1)
    start = time.monotonic()
    await provider.create_top_up(TOP_UP)
    assert time.monotonic() - start >= 1


Ask = Callable[[PayPalProvider], Awaitable[object]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda provider: provider.create_top_up(TOP_UP),
        lambda provider: provider.complete_top_up("O1", "key"),
        lambda provider: provider.fetch_subscription("I-1"),
        lambda provider: provider.resolve("C1"),
    ],
)
async def test_a_paypal_that_hangs_is_given_up_in_time(
    provider: PayPalProvider, paypal: PayPalSimulator, ask: Ask
) -> None:
    paypal.faults.set(Hang())
    start = time.monotonic()
    with pytest.raises(ProviderUnavailableError):
        await ask(provider)
    assert time.monotonic() - start < 3 * TIMEOUT_SECONDS + 1


async def test_nobody_there_is_unavailable(paypal: PayPalSimulator) -> None:
    registry = CollectorRegistry()
    provider = open_provider(paypal, registry, api_base=f"http://{free_address()}")
    with pytest.raises(ProviderUnavailableError):
        await provider.create_top_up(TOP_UP)
    await provider.close()
    assert calls_counted(registry) == {("PAYPAL", "create_order", "unavailable"): 1}


async def test_every_call_is_counted_once_by_what_came_of_it(paypal: PayPalSimulator) -> None:
    registry = CollectorRegistry()
    provider = open_provider(paypal, registry)
    paypal.faults.set(Unavailable(), times=1)
    await provider.create_top_up(TOP_UP)
    with pytest.raises(UnknownToProviderError):
        await provider.fetch_subscription("I-NOBODYS")
    await provider.close()
    assert calls_counted(registry) == {
        ("PAYPAL", "create_order", "answered"): 1,
        ("PAYPAL", "get_subscription", "refused"): 1,
    }


GOOD_HEAD = "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: x/y\r\n"
TOKEN = json.dumps({"access_token": "token-canary", "expires_in": 32_400}).encode()
STRANGE_ANSWERS = [
    b"",
    b"null",
    b"[]",
    b"\xff\xfe",
    b"<html>",
    b"[" * 100_000,
    b" " * 1_100_000,
    b'{"id": "a", "id": "b"}',
    b'{"id": "O1"}',
    b'{"id": "O1", "links": [{"rel": "approve"}]}',
    b'{"id": {"id": []}, "links": "x"}',
    b'{"id": "\\u0000", "links": [{"rel": "approve", "href": "https://a"}]}',
]


@pytest.mark.parametrize("answer", STRANGE_ANSWERS, ids=lambda answer: repr(answer[:30]))
async def test_an_answer_that_makes_no_sense_is_an_error_of_the_port(
    paypal: PayPalSimulator, answer: bytes
) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        body = TOKEN if b"oauth2" in asked else answer
        writer.write(
            f"{GOOD_HEAD}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        provider = open_provider(paypal, CollectorRegistry(), api_base=address, timeout_seconds=0.1)
        with pytest.raises(ProviderError) as caught:
            await provider.create_top_up(TOP_UP)
        await provider.close()
    assert "canary" not in str(caught.value)


async def test_nothing_secret_is_logged_or_told(
    provider: PayPalProvider, paypal: PayPalSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    with capture_logs() as logs:
        for fault in (Refusal("NO", 422), Unavailable(), LostAnswer(), Refusal("NO", 401)):
            paypal.faults.set(fault, "create_order")
            with pytest.raises(ProviderError) as caught:
                await provider.create_top_up(TOP_UP)
            seen += [repr(caught.value), repr(caught.value.__cause__)]
            paypal.faults.clear()
    assert "paypal_refused" in {each["event"] for each in logs}
    tokens = paypal.tokens
    assert tokens
    for place in (*seen, str(logs), caplog.text, repr(CREDENTIALS)):
        assert not any(secret in place for secret in (*tokens, CREDENTIALS.client_secret))


async def test_a_customer_approves_on_a_page(
    provider: PayPalProvider, paypal: PayPalSimulator
) -> None:
    async with ClientSession() as customer:
        for made in (
            await provider.create_top_up(TOP_UP),
            await provider.create_subscription(SUBSCRIBE),
        ):
            async with customer.get(made.url) as page:
                assert "Approve" in await page.text()
            for decision, back in (("cancel", TOP_UP.cancel_url), ("approve", TOP_UP.return_url)):
                async with customer.post(
                    made.url, data={"decision": decision}, allow_redirects=False
                ) as answer:
                    assert answer.headers["Location"].startswith(back)
    assert [each.status for each in paypal.account.books.orders.values()] == ["APPROVED"]
    assert [each.status for each in paypal.account.books.subscriptions.values()] == ["ACTIVE"]
