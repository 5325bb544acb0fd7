"""What happens at the simulated PayPal can be made to happen over HTTP."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.account import VERBS, Books
from tests.integration.billing_gateway.paypal.asking import INTENT, PROOF
from tests.integration.billing_gateway.paypal.receiving import Receiver
from tests.support.waiting import eventually


class Control:
    """Whoever watches or disturbs it."""

    def __init__(self, http: ClientSession) -> None:
        self.http = http

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        async with self.http.request(method, path, json=body) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    async def act(self, verb: str, **arguments: Any) -> Any:
        status, told = await self.ask("POST", f"act/{verb}", **arguments)
        assert status == 200, told
        return told


@pytest.fixture
async def control(paypal: PayPalSimulator) -> AsyncIterator[Control]:
    """Yield who makes things happen."""
    async with ClientSession(f"{paypal.base_url}/_simulator/") as http:
        yield Control(http)


def test_every_verb_is_there(paypal: PayPalSimulator) -> None:
    assert all(callable(getattr(paypal.account, verb)) for verb in VERBS)


async def test_a_subscription_lives_over_http(
    control: Control, paypal: PayPalSimulator, receiver: Receiver
) -> None:
    made = await control.act("create_subscription", plan_id="P-1", custom_id="org-1")
    assert (made["amount"], made["currency"]) == ("12.50", "EUR")
    subscription_id = made["subscription_id"]
    sale_id = await control.act("approve_subscription", subscription_id=subscription_id)
    await control.act("refund", payment_id=sale_id, amount="2.50")
    await control.act("cancel", subscription_id=subscription_id)
    assert paypal.account.subscription(subscription_id).status == "CANCELLED"
    assert [each.event_type for each in paypal.events] == [
        "BILLING.SUBSCRIPTION.CREATED",
        "BILLING.SUBSCRIPTION.ACTIVATED",
        "PAYMENT.SALE.COMPLETED",
        "PAYMENT.SALE.REFUNDED",
        "BILLING.SUBSCRIPTION.CANCELLED",
    ]
    await eventually(lambda: count_of(receiver), lambda count: count == 5)


async def test_each_organization_pays_from_one_account_of_its_own(
    control: Control, paypal: PayPalSimulator
) -> None:
    async def payer_of(**given: str) -> str:
        made = await control.act("create_subscription", plan_id="P-1", **given)
        await control.act("approve_subscription", subscription_id=made["subscription_id"])
        told = json.loads(paypal.events[-2].body)["resource"]
        assert told["subscriber"]["payer_id"] == made["payer_id"]
        return str(made["payer_id"])

    proven = f"org-1:{INTENT}:{PROOF}"
    order = paypal.account.create_order("1.00", "USD", custom_id=proven)
    assert "payer" not in paypal.account.order_json(order)
    paypal.account.approve_order(order.order_id)
    ours = {
        await payer_of(custom_id="org-1"),
        await payer_of(custom_id=proven),
        await payer_of(payer_id=order.payer_id),
        paypal.account.order_json(order)["payer"]["payer_id"],
    }
    others = [await payer_of(custom_id="org-2"), await payer_of(), await payer_of()]
    assert len(ours) == 1
    assert len({*ours, *others}) == 4
    assert all(re.fullmatch("[2-9A-HJ-NP-Z]{13}", each) for each in (*ours, *others))


async def count_of(receiver: Receiver) -> int:
    return len(receiver.deliveries)


async def test_what_cannot_happen_is_refused_in_words(control: Control) -> None:
    made = await control.act("create_subscription", plan_id="P-1")
    refused = [
        ("forget", {}),
        ("cancel", {"nobody": "x"}),
        ("cancel", {"subscription_id": "I-9"}),
        ("renew", {"subscription_id": made["subscription_id"]}),
    ]
    for verb, arguments in refused:
        status, told = await control.ask("POST", f"act/{verb}", **arguments)
        assert status == 400
        assert told["error"]
    sale_id = await control.act("approve_subscription", subscription_id=made["subscription_id"])
    for amount in ("99.00", "0.00", "much"):
        status, _ = await control.ask("POST", "act/refund", payment_id=sale_id, amount=amount)
        assert status == 400


async def test_the_switches_are_there_over_http(control: Control, paypal: PayPalSimulator) -> None:
    _, hold = await control.ask("PUT", "deliveries", hold=True, duplicates=2)
    assert hold["duplicates"] == 2
    await control.act("create_subscription", plan_id="P-1")
    assert paypal.deliveries.held == paypal.events
    await control.act("decline_next_capture")
    assert paypal.account.next_captures == ["DECLINED"]
    await control.ask("POST", "faults", fault={"kind": "unavailable"}, call="token", times=1)
    async with control.http.post("/v1/oauth2/token") as answer:
        assert answer.status == 503
    _, [request] = await control.ask("GET", "requests")
    assert request["call"] == "token"
    assert (await control.ask("POST", "reset"))[0] == 204
    assert paypal.account.books == Books()
    assert (paypal.events, paypal.requests, paypal.account.next_captures) == ([], [], [])


async def test_there_is_no_page_for_what_is_not_there(paypal: PayPalSimulator) -> None:
    pages = ("checkoutnow?token=9", "webapps/billing/subscriptions?ba_token=I-9")
    async with ClientSession(f"{paypal.base_url}/") as http:
        for page in pages:
            for method in ("GET", "POST"):
                async with http.request(method, page, data={"decision": "approve"}) as answer:
                    assert answer.status == 404
