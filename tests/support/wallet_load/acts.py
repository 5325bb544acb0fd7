"""What a random caller does next in a wallet."""

import random
from collections.abc import Sequence
from typing import Any, TypeAlias

from tests.support.wallet_load.requests import (
    PAYMENTS_PER_WALLET,
    Acquaintance,
    RandomRequests,
)
from tests.support.wallet_model.values import MICROS_MAX, Referenced
from tollgate.wallet.v1.wallet_pb2 import (
    FREEZE_REASON_DISPUTE,
    FREEZE_REASON_INTEGRITY,
    FREEZE_REASON_OPERATOR,
)
from tollgate.wallet.v1.wallet_service_pb2 import (
    BatchDebitRequest,
    FreezeWalletRequest,
    GetWalletRequest,
    UnfreezeWalletRequest,
    UpdateWalletRequest,
)

# What is sent one after the other; the requests of one volley are sent at once.
Volleys: TypeAlias = list[list[Any]]

# How often an act is chosen.
ACTS = {
    "debit": 25.0,
    "batch": 1.1,
    "credit": 8.0,
    "adjust": 3.0,
    "place": 11.0,
    "capture": 13.0,
    "release": 3.0,
    "pay": 8.0,
    "freeze": 0.4,
    "look": 4.0,
    "repeat": 5.0,
    "contradict": 3.0,
    "twins": 2.0,
    "rivals": 1.5,
    "nonsense": 1.5,
}
# In an eventful wallet, by one caller at a time.
EXCLUSIVE_ACTS = {"subscribe": 1.0, "limit": 2.0}

POOR_MICROS, RICH_MICROS = 5_000, 25_000
BATCH_SIZE_MAX = 80


class RandomActs:
    """Thinks of what to do in one wallet, knowing them all."""

    def __init__(
        self, chance: random.Random, wallet: Acquaintance, wallets: Sequence[Acquaintance]
    ) -> None:
        self._chance = chance
        self._wallet = wallet
        self._wallets = wallets
        self._requests = RandomRequests(chance, wallet)

    def choose(self) -> str:
        """Return an act; money comes in where it runs short, and goes out where it piles up."""
        available_micros = self._wallet.seen.available_micros
        if available_micros < POOR_MICROS and self._happens(0.2):
            return "credit"
        if available_micros > RICH_MICROS and not self._wallet.bottomless and self._happens(0.2):
            return "spend"
        eventful = self._wallet.eventful and not self._wallet.busy
        acts = ACTS | EXCLUSIVE_ACTS if eventful else ACTS
        [act] = self._chance.choices(list(acts), list(acts.values()))
        return act

    def plan(self, act: str) -> Volleys:
        """Return the requests of an act."""
        volleys: Volleys = getattr(self, f"_{act}")()
        asked = [each for volley in volleys for each in volley if isinstance(each, Referenced)]
        self._wallet.asked.extend(asked)
        return volleys

    def _debit(self) -> Volleys:
        return [[self._requests.debit(self._chance.randint(1, 3_000))]]

    def _spend(self) -> Volleys:
        return [[self._requests.debit(self._wallet.seen.available_micros)]]

    def _batch(self) -> Volleys:
        size = self._chance.randint(1, BATCH_SIZE_MAX)
        debits = [
            RandomRequests(self._chance, wallet).debit(self._chance.randint(1, 500))
            for wallet in self._chance.choices(self._wallets, k=size)
        ]
        debits.extend(self._chance.choices(debits, k=2))
        debits.append(self._requests.debit(self._chance.choice((0, 1))))
        return [[BatchDebitRequest(debits=debits)]]

    def _credit(self) -> Volleys:
        return [[self._requests.credit(self._chance.randint(1, 12_000))]]

    def _adjust(self) -> Volleys:
        return [[self._requests.adjustment()]]

    def _place(self) -> Volleys:
        return [[self._requests.placing()]]

    def _capture(self) -> Volleys:
        return [[self._requests.capture()]]

    def _release(self) -> Volleys:
        return [[self._requests.release()]]

    def _pay(self) -> Volleys:
        payment_id = f"stripe:pi_{self._chance.randrange(PAYMENTS_PER_WALLET)}"
        volley = [self._requests.next_level(payment_id)]
        if self._happens(0.1):
            volley.append(self._requests.next_level(payment_id))
        if self._happens(0.05):
            volley.append(self._requests.rival_level(volley[-1]))
        self._chance.shuffle(volley)
        return [volley]

    def _freeze(self) -> Volleys:
        reasons = [FREEZE_REASON_OPERATOR, FREEZE_REASON_DISPUTE]
        if self._wallet.eventful:
            reasons.append(FREEZE_REASON_INTEGRITY)
        freeze: Any = {
            "organization_id": self._wallet.organization_id,
            "reason": self._chance.choice(reasons),
            "reference_id": self._chance.choice(("", "case-1")),
            "actor": "anna@example.com",
        }
        lift = UnfreezeWalletRequest(**freeze)
        meanwhile = [self._requests.debit(1), self._requests.capture()]
        return [[FreezeWalletRequest(**freeze)], meanwhile, [lift], [lift]]

    def _subscribe(self) -> Volleys:
        bad, good = self._requests.report(good=False), self._requests.report(good=True)
        return [[bad], [self._requests.debit(1), bad], [good], [bad, good]]

    def _limit(self) -> Volleys:
        below = self._chance.choice((1, 5_000, 40_000))
        request = UpdateWalletRequest(
            organization_id=self._wallet.organization_id,
            depleted_below_micros=below,
            resume_above_micros=below + self._chance.choice((0, 30_000)),
        )
        return [[request]]

    def _look(self) -> Volleys:
        if self._happens(0.5):
            return [[self._requests.look_at_hold()]]
        return [[GetWalletRequest(organization_id=self._wallet.organization_id)]]

    def _repeat(self) -> Volleys:
        return [[self._requests.repetition()]]

    def _contradict(self) -> Volleys:
        return [[self._requests.contradiction(self._requests.repetition())]]

    def _twins(self) -> Volleys:
        [[request]] = self._new()
        return [[request, request]]

    def _rivals(self) -> Volleys:
        [[request]] = self._new()
        return [[request, self._requests.contradiction(request)]]

    def _nonsense(self) -> Volleys:
        if self._wallet.bottomless:
            return [[self._requests.credit(MICROS_MAX)]]
        nonsense = (
            self._requests.debit(-5),
            self._requests.credit(-1),
            self._requests.placing(ttl_seconds=86_401),
            self._requests.impossible_level(),
        )
        return [[self._chance.choice(nonsense)]]

    def _new(self) -> Volleys:
        return self.plan(self._chance.choice(("debit", "credit", "place", "capture")))

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability
