"""Deliveries of top-ups as providers make them: signed, and ready to be written to a connection."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dev.bench.requests import CURRENCY_CODE, organization_of
from dev.simulators.paypal.certificates import read_chain
from dev.simulators.paypal.objects import Payment, capture_json, event_json
from dev.simulators.paypal.signing import Signer
from dev.stack.errors import StackError
from dev.stripe_simulator import Customer, signature_header, to_body, top_up_event
from services.billing_gateway.domain.flows import flow_name
from services.billing_gateway.domain.values import PaymentObject, Provider

ORGANIZATIONS = 1_000
AMOUNT = 10


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request of HTTP, and the payment that its top-up is to the wallet."""

    payment_id: str
    request: bytes


Make = Callable[[str], Delivery]


def deliveries(make: Make, count: int) -> Iterator[Delivery]:
    """So many, over all organizations in turns."""
    for number in range(count):
        yield make(organization_of(number % ORGANIZATIONS))


def by_stripe(secret: str) -> Make:
    """Completed checkouts."""

    def make(organization_id: str) -> Delivery:
        event = top_up_event(Customer(organization_id), AMOUNT * 100, datetime.now(UTC))
        body = to_body(event)
        headers = {"Stripe-Signature": signature_header(body, secret)}
        return _delivery(Provider.STRIPE, event["data"]["object"]["payment_intent"], headers, body)

    return make


def by_paypal(certificates: Path, webhook_id: str) -> Make:
    """Completed captures; the folder is that of a simulator that serves the certificate."""
    chain = read_chain(certificates)
    if chain is None:
        raise StackError(f"{certificates} has no certificates.")
    signer = Signer(chain, webhook_id)

    def make(organization_id: str) -> Delivery:
        now = datetime.now(UTC)
        capture = Payment(
            payment_id=secrets.token_hex(9).upper(),
            kind="capture",
            amount=f"{AMOUNT}.00",
            currency=CURRENCY_CODE,
            create_time=now,
            update_time=now,
            parent_id=secrets.token_hex(9).upper(),
            custom_id=organization_id,
        )
        event_id = f"WH-{secrets.token_hex(16).upper()}"
        event = event_json(
            event_id, "PAYMENT.CAPTURE.COMPLETED", "capture", capture_json(capture), now
        )
        body = json.dumps(event).encode()
        return _delivery(Provider.PAYPAL, capture.payment_id, signer.headers(body, now), body)

    return make


def _delivery(
    provider: Provider, object_id: str, headers: Mapping[str, str], body: bytes
) -> Delivery:
    lines = [
        f"POST /webhooks/{provider.lower()} HTTP/1.1",
        "Host: bench",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    head = "".join(f"{line}\r\n" for line in (*lines, ""))
    return Delivery(flow_name(provider, [PaymentObject(object_id, 0)]), head.encode() + body)
