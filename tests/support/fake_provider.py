"""A payment provider without a vendor: events are observations, answers are what a test scripts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from services.billing_gateway.domain.observations import (
    Ignored,
    Observation,
    Observed,
    Translation,
    Unreadable,
)
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import (
    Answer,
    DeliveryRefusedError,
    EventIdentity,
    Headers,
    OpenCheckout,
    ProviderRefusedError,
    ProviderUnavailableError,
    SubscriptionOrder,
    TopUpOrder,
    UnknownToProviderError,
)

SIGNATURE_HEADER = "Fake-Signature"
SIGNED = {SIGNATURE_HEADER: "ok"}
ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in get_args(Observation)
}


def fake_event(event_id: str, *observations: Observation, event_type: str = "told") -> bytes:
    """Return the body of an event that tells observations; none of them: it is ignored."""
    told = [
        {
            "kind": (kind := type(each).__name__),
            "told": ADAPTERS[kind].dump_python(each, mode="json"),
        }
        for each in observations
    ]
    return json.dumps({"id": event_id, "type": event_type, "observations": told}).encode()


@dataclass(frozen=True)
class Call:
    """What the provider was asked: the port's method, an id or intent, a capture's key."""

    method: str
    subject: str
    key: str = ""


@dataclass
class FakeProvider:
    """Answers by script and counts what it was asked and what it made."""

    name: Provider = Provider.STRIPE
    can_be_asked: bool = True
    cancels_at_period_end: bool = True
    # By the id of a checkout, a subscription or an object; what is not here is unknown.
    answers: dict[str, Answer] = field(default_factory=dict)
    # By the port's method: raised, and nothing is done.
    refusals: dict[str, ProviderRefusedError] = field(default_factory=dict)
    # Nothing reaches it, and nothing is done.
    unavailable: bool = False
    # So many next answers are lost although it did what it was asked.
    lost_answers: int = 0
    calls: list[Call] = field(default_factory=list)
    # What it made, by intent.
    made: dict[str, OpenCheckout] = field(default_factory=dict)
    # Checkouts whose money it took, each with the key of the call that did.
    captured: dict[str, str] = field(default_factory=dict)

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(call.method == method for call in self.calls)

    def answer(
        self, subject: str, *observations: Observation, provider_time: datetime | None = None
    ) -> None:
        """Script what it says of a checkout, a subscription or an object from now on."""
        self.answers[subject] = Answer(observations, provider_time or datetime.now(UTC))

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> None:
        """Look at the header only."""
        if list(headers.getall(SIGNATURE_HEADER, ())) != ["ok"]:
            raise DeliveryRefusedError("not signed")

    def identify(self, body: bytes) -> EventIdentity | None:
        """Return the event's id and type."""
        try:
            told = json.loads(body)
            return EventIdentity(told["id"], told["type"])
        except (ValueError, KeyError, TypeError):
            return None

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Return the observations that the event is made of."""
        try:
            told = tuple(
                ADAPTERS[each["kind"]].validate_python(each["told"])
                for each in json.loads(body)["observations"]
            )
        except (KeyError, TypeError, ValidationError, ValueError) as error:
            return Unreadable(f"not a fake's event: {error}")
        return Observed(told) if told else Ignored()

    async def create_top_up(self, order: TopUpOrder) -> OpenCheckout:
        """Make a checkout, once for each intent."""
        return self._make("create_top_up", order.intent_id, subscription_id="")

    async def create_subscription(self, order: SubscriptionOrder) -> OpenCheckout:
        """Make a subscription, once for each intent."""
        subscription_id = f"sub-{order.intent_id}" if self.name is Provider.PAYPAL else ""
        return self._make("create_subscription", order.intent_id, subscription_id=subscription_id)

    async def complete_top_up(self, checkout_id: str, key: str) -> Answer:
        """Take the money once."""
        self._refuse_or_go_on(Call("complete_top_up", checkout_id, key))
        answer = self._find(checkout_id)
        self.captured.setdefault(checkout_id, key)
        self._lose_answer()
        return answer

    async def fetch_checkout(self, checkout_id: str) -> Answer:
        """Answer by script."""
        return self._fetch("fetch_checkout", checkout_id)

    async def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, note: str
    ) -> None:
        """Note the call; how the subscription stands then is a matter of the script."""
        when = "at_period_end" if at_period_end else "now"
        self._refuse_or_go_on(Call("cancel_subscription", subscription_id, when))
        self._lose_answer()

    async def reactivate_subscription(self, subscription_id: str, *, note: str) -> None:
        """Note the call; how the subscription stands then is a matter of the script."""
        self._refuse_or_go_on(Call("reactivate_subscription", subscription_id))
        self._lose_answer()

    async def fetch_subscription(self, subscription_id: str) -> Answer:
        """Answer by script."""
        return self._fetch("fetch_subscription", subscription_id)

    async def resolve(self, object_id: str) -> Answer:
        """Answer by script."""
        return self._fetch("resolve", object_id)

    async def close(self) -> None:
        """Nothing is open."""

    def _make(self, method: str, intent_id: str, subscription_id: str) -> OpenCheckout:
        self._refuse_or_go_on(Call(method, intent_id))
        made = self.made.setdefault(
            intent_id,
            OpenCheckout(
                checkout_id=subscription_id or f"checkout-{intent_id}",
                url=f"https://{self.name.lower()}.example/pay/{intent_id}",
                subscription_id=subscription_id,
            ),
        )
        self._lose_answer()
        return made

    def _fetch(self, method: str, subject: str) -> Answer:
        self._refuse_or_go_on(Call(method, subject))
        self._lose_answer()
        return self._find(subject)

    def _find(self, subject: str) -> Answer:
        if subject not in self.answers:
            raise UnknownToProviderError(f"{subject} is not known")
        return self.answers[subject]

    def _refuse_or_go_on(self, call: Call) -> None:
        self.calls.append(call)
        if self.unavailable:
            raise ProviderUnavailableError("the provider is away")
        if call.method in self.refusals:
            raise self.refusals[call.method]

    def _lose_answer(self) -> None:
        if self.lost_answers > 0:
            self.lost_answers -= 1
            raise ProviderUnavailableError("the answer was lost")
