"""Random requests that mean something: most may well be done, many may not, some never."""

import copy
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.wallet_model.values import MICROS_MAX, Referenced
from tollgate.billing_gateway.v1.subscription_observer_service_pb2 import ReportSubscriptionRequest
from tollgate.billing_gateway.v1.subscription_pb2 import (
    SUBSCRIPTION_STATE_ACTIVE,
    SUBSCRIPTION_STATE_PAST_DUE,
)
from tollgate.wallet.v1.wallet_pb2 import Wallet
from tollgate.wallet.v1.wallet_service_holds_pb2 import (
    CaptureHoldRequest,
    GetHoldRequest,
    PlaceHoldRequest,
    ReleaseHoldRequest,
)
from tollgate.wallet.v1.wallet_service_pb2 import (
    CREDIT_TYPE_PROMOTION,
    CREDIT_TYPE_REFUND,
    CREDIT_TYPE_TOP_UP,
    AdjustBalanceRequest,
    ApplyPaymentRequest,
    CreditRequest,
    DebitRequest,
)

PAYMENTS_PER_WALLET = 6
CAPTURE_MICROS_MAX = 20_000
TTL_SECONDS = (1.0, 1.25, 1.5, 2.0, 4.0)
FAR_FUTURE = Timestamp(seconds=32_000_000_000)
OTHER_CURRENCY = {"USD": "EUR", "EUR": "USD"}
CREDIT_TYPES = (CREDIT_TYPE_TOP_UP, CREDIT_TYPE_REFUND, CREDIT_TYPE_PROMOTION)

# The fields of which one is changed under the same reference.
CHANGEABLE: dict[type[Referenced], tuple[str, ...]] = {
    DebitRequest: ("amount_micros", "description"),
    CreditRequest: ("amount_micros", "description"),
    AdjustBalanceRequest: ("delta_micros", "justification"),
    PlaceHoldRequest: ("amount_micros", "description"),
    CaptureHoldRequest: ("amount_micros", "final", "allow_excess"),
}


@dataclass
class Acquaintance:
    """What the callers know of a wallet."""

    organization_id: str
    currency_code: str
    # One that is never empty, where a credit too many can be tried.
    bottomless: bool = False
    # One whose subscription and limits change.
    eventful: bool = False
    seen: Wallet = field(default_factory=Wallet)
    asked: deque[Referenced] = field(default_factory=lambda: deque(maxlen=100))
    holds: deque[PlaceHoldRequest] = field(default_factory=lambda: deque(maxlen=60))
    payments: dict[str, ApplyPaymentRequest] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    busy: bool = False


class RandomRequests:
    """Makes requests to one wallet."""

    def __init__(self, chance: random.Random, wallet: Acquaintance) -> None:
        self._chance = chance
        self._wallet = wallet
        self._common: Any = {
            "organization_id": wallet.organization_id,
            "currency_code": wallet.currency_code,
        }

    def debit(self, amount_micros: int, reference_id: str = "") -> DebitRequest:
        return DebitRequest(
            **self._money(),
            amount_micros=self._spoiled(amount_micros),
            reference_id=reference_id or self._new_reference("debit"),
            description="an SMS",
            metadata={"segments": str(self._chance.randint(1, 3))},
        )

    def credit(self, amount_micros: int) -> CreditRequest:
        return CreditRequest(
            **self._money(),
            amount_micros=amount_micros,
            reference_id=self._new_reference("credit"),
            type=self._chance.choice(CREDIT_TYPES),
        )

    def adjustment(self) -> AdjustBalanceRequest:
        delta_micros = self._chance.choice((-1, 1)) * self._chance.randint(1, 9_000)
        return AdjustBalanceRequest(
            **self._money(),
            delta_micros=delta_micros,
            reference_id=self._new_reference("adjustment"),
            justification="counted again",
            actor="anna@example.com",
        )

    def placing(self, ttl_seconds: float | None = None) -> PlaceHoldRequest:
        ttl = Duration()
        ttl.FromMilliseconds(int(1000 * (ttl_seconds or self._chance.choice(TTL_SECONDS))))
        return PlaceHoldRequest(
            **self._money(),
            amount_micros=self._spoiled(self._chance.randint(1, 9_000)),
            reference_id=self._new_reference("hold"),
            ttl=ttl,
            metadata={"to": "+1 555 0100"},
        )

    def capture(self) -> CaptureHoldRequest:
        hold = self._some_hold()
        share = self._chance.choice((0.2, 0.4, 1.0, 3.0))
        return CaptureHoldRequest(
            organization_id=self._wallet.organization_id,
            hold_reference_id=hold.reference_id,
            amount_micros=max(1, int(min(hold.amount_micros, CAPTURE_MICROS_MAX) * share)),
            reference_id=self._new_reference("capture"),
            final=self._happens(0.4),
            allow_excess=self._happens(0.4),
        )

    def release(self) -> ReleaseHoldRequest:
        return ReleaseHoldRequest(
            organization_id=self._wallet.organization_id,
            hold_reference_id=self._some_hold().reference_id,
        )

    def look_at_hold(self) -> GetHoldRequest:
        return GetHoldRequest(
            organization_id=self._wallet.organization_id,
            hold_reference_id=self._some_hold().reference_id,
        )

    def next_level(self, payment_id: str) -> ApplyPaymentRequest:
        """Return a level that differs from the payment's newest in some ways, up or down."""
        before = self._wallet.payments.get(payment_id, ApplyPaymentRequest())
        credited, at_risk = before.credited_micros, before.at_risk_micros
        if credited == 0 or self._happens(0.2):
            credited = self._chance.randint(1, 60_000)
        reversed_ = min(before.reversed_micros, credited)
        if self._happens(0.5):
            reversed_ = int(credited * self._chance.choice((0, 0, 0.3, 1, 1)))
        if self._happens(0.5):
            at_risk = int(credited * self._chance.choice((0, 0, 0, 0, 0.5, 1.5)))
        revision = before.revision + self._chance.randint(1, 3)
        level = ApplyPaymentRequest(
            **self._common,
            payment_id=payment_id,
            revision=revision,
            credited_micros=credited,
            reversed_micros=reversed_,
            at_risk_micros=at_risk,
            blocks_spending=self._happens(0.004),
            description=f"revision {revision}",
        )
        self._wallet.payments[payment_id] = level
        return level

    def rival_level(self, level: ApplyPaymentRequest) -> ApplyPaymentRequest:
        """Return other content at the same revision; whichever is taken is seen in the ledger."""
        level.credited_micros = level.reversed_micros + self._chance.randint(1, 60_000)
        other = copy.deepcopy(level)
        other.credited_micros += 1
        return other

    def impossible_level(self) -> ApplyPaymentRequest:
        """Return a level with more reversed than credited, or in another currency."""
        level = ApplyPaymentRequest(**self._common, payment_id="stripe:pi_0", revision=2**62)
        if self._happens(0.5):
            level.reversed_micros = 1
        else:
            level.currency_code = OTHER_CURRENCY[self._wallet.currency_code]
        return level

    def report(self, *, good: bool) -> ReportSubscriptionRequest:
        return ReportSubscriptionRequest(
            organization_id=self._wallet.organization_id,
            revision=next(self._wallet.numbers),
            state=SUBSCRIPTION_STATE_ACTIVE if good else SUBSCRIPTION_STATE_PAST_DUE,
            good_standing=good,
            good_until=FAR_FUTURE,
        )

    def repetition(self) -> Referenced:
        """Return what was asked before."""
        return self._chance.choice(self._wallet.asked or [self.debit(1)])

    def contradiction(self, request: Referenced) -> Referenced:
        """Return other content under the same reference."""
        if self._happens(0.1):
            return self.debit(1, request.reference_id)
        other = copy.deepcopy(request)
        name = self._chance.choice(CHANGEABLE[type(request)])
        setattr(other, name, different(getattr(request, name)))
        return other

    def _some_hold(self) -> PlaceHoldRequest:
        holds = self._wallet.holds
        return self.placing() if not holds or self._happens(0.02) else self._chance.choice(holds)

    def _new_reference(self, kind: str) -> str:
        return f"{kind}-{next(self._wallet.numbers)}"

    def _money(self) -> Any:
        """Return whose money it is, and now and then a currency that is not the wallet's."""
        if self._happens(0.99):
            return self._common
        return self._common | {"currency_code": OTHER_CURRENCY[self._wallet.currency_code]}

    def _spoiled(self, amount_micros: int) -> int:
        """Return the amount, and now and then one that nobody has."""
        return MICROS_MAX if self._happens(0.01) else amount_micros

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability


def different(value: bool | int | str) -> bool | int | str:  # noqa: FBT001 - a field of any type
    """Return another value that the field can have."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "!"
    return value - 1 if value > 1 else value + 1
