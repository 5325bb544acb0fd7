"""docs/providers.md tells every event to be registered, and no other."""

import re
from pathlib import Path

from services.billing_gateway.paypal.translation import OBSERVERS as PAYPAL_EVENTS
from services.billing_gateway.stripe.translation import OBSERVERS as STRIPE_EVENTS

DOCS = Path(__file__).parents[3] / "docs" / "providers.md"
LIST = re.compile(r"```text\n(.*?)```", re.DOTALL)


def test_the_events_to_be_registered_are_those_that_are_understood() -> None:
    stripe, paypal = (set(found.split()) for found in LIST.findall(DOCS.read_text()))
    assert stripe == set(STRIPE_EVENTS)
    assert paypal == set(PAYPAL_EVENTS)
