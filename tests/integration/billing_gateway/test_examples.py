"""Every rpc of the contract answers, with the example that its comment gives."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.checkouts_asked import paid
from tests.integration.billing_gateway.requests import RECEIVED, events_of
from tests.integration.billing_gateway.subscriptions_told import OURS, is_
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2

ROOT = Path(__file__).parents[3]
PROTO = ROOT / "protos/tollgate/billing_gateway/v1/billing_gateway_service.proto"
RPC = re.compile(r"((?:  //.*\n)+)  rpc (\w+)\((\w+)\)")
SERVICE = billing_gateway_service_pb2.DESCRIPTOR.services_by_name["BillingGatewayService"]


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """A top-up asks the wallet, and a link opens it."""
    return "wallet", "billing_gateway"


def read_examples() -> dict[str, Any]:
    """Return the example of each rpc, as JSON."""
    examples = {}
    for comment, name, _ in RPC.findall(PROTO.read_text()):
        text = " ".join(line.removeprefix("  //") for line in comment.splitlines())
        _, _, example = text.partition("Example:")
        examples[name] = example
    return examples


async def test_every_rpc_answers_its_example(
    fake_stack: Stack, paypal: FakeProvider, stripe: FakeProvider
) -> None:
    await fake_stack.deliver_fake(Provider.STRIPE, "evt_1", replace(paid("", "pi_1"), claim=OURS))
    await fake_stack.deliver_fake(Provider.PAYPAL, "WH-1", paid("", "39W39499W4454115Y"))
    await eventually(lambda: events_of(fake_stack, state=RECEIVED), lambda received: not received)
    suspended = is_(SubscriptionState.SUSPENDED, now(), claim=None, confirmed=True)
    paypal.answer("I-1", suspended, provider_time=now())
    examples = read_examples()
    assert set(examples) == {method.name for method in SERVICE.methods}
    for name, example in examples.items():
        rpc = getattr(fake_stack.gateway, name)
        request = GetMessageClass(SERVICE.methods_by_name[name].input_type)()
        await rpc(json_format.Parse(example, request))
