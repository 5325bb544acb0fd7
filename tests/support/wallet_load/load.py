"""Many callers at once, in wallets of which some are hot."""

import asyncio
import math
import random
from collections.abc import Sequence
from typing import Any

from tests.support.errors import Refusal
from tests.support.waiting import eventually
from tests.support.wallet_load.acts import EXCLUSIVE_ACTS, RandomActs, Volleys
from tests.support.wallet_load.doors import Door
from tests.support.wallet_load.history import History
from tests.support.wallet_load.requests import Acquaintance
from tollgate.wallet.v1.wallet_service_holds_pb2 import PlaceHoldRequest
from tollgate.wallet.v1.wallet_service_pb2 import (
    CREDIT_TYPE_TOP_UP,
    BatchDebitRequest,
    BatchDebitResponse,
    CreateWalletRequest,
    CreditRequest,
)

CALLER_COUNT = 64
PLENTY_MICROS = 10**12
PATIENCE_SECONDS = 600.0


class RandomLoad:
    """Does random acts until so many commands have been answered, or until it is to end."""

    def __init__(self, history: History, doors: Sequence[Door], seed: int) -> None:
        self.wallets = [
            Acquaintance("org-hot-1", "USD"),
            Acquaintance("org-hot-2", "USD"),
            Acquaintance("org-eventful-1", "USD", eventful=True),
            Acquaintance("org-eventful-2", "USD", eventful=True),
            Acquaintance("org-bottomless", "EUR", bottomless=True),
            Acquaintance("org-cold", "EUR"),
        ]
        self.weights = (30.0, 20.0, 8.0, 8.0, 8.0, 4.0)
        self.answered_count = 0
        self._wanted_count = 0.0
        self._history = history
        self._doors = doors
        self._seed = seed

    async def open_wallets(self) -> None:
        """Open the wallets."""
        for wallet in self.wallets:
            common: Any = {
                "organization_id": wallet.organization_id,
                "currency_code": wallet.currency_code,
            }
            await self._history.ask(self._doors[0], CreateWalletRequest(**common))
            credit = CreditRequest(**common, reference_id="opening", type=CREDIT_TYPE_TOP_UP)
            credit.amount_micros = PLENTY_MICROS if wallet.bottomless else 100_000
            await self._history.ask(self._doors[0], credit)

    async def run(self, command_count: float = math.inf) -> None:
        """Let the callers loose."""
        self._wanted_count = command_count
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLER_COUNT):
                chance = random.Random(f"{self._seed}-{number}")
                callers.create_task(self._call(chance))

    def end(self) -> None:
        """Let each caller end what it has begun, and no more."""
        self._wanted_count = 0.0

    async def reach(self, command_count: int) -> None:
        """Wait until so many commands have been answered."""

        async def count() -> int:
            return self.answered_count

        await eventually(count, lambda answered: answered >= command_count, PATIENCE_SECONDS)

    async def _call(self, chance: random.Random) -> None:
        while self.answered_count < self._wanted_count:
            [wallet] = chance.choices(self.wallets, self.weights)
            acts = RandomActs(chance, wallet, self.wallets)
            act = acts.choose()
            if act not in EXCLUSIVE_ACTS:
                await self._send(chance, wallet, acts.plan(act))
                continue
            wallet.busy = True
            await self._send(chance, wallet, acts.plan(act))
            wallet.busy = False

    async def _send(self, chance: random.Random, wallet: Acquaintance, volleys: Volleys) -> None:
        for volley in volleys:
            doors = chance.choices(self._doors, k=len(volley))
            asked = map(self._history.ask, doors, volley)
            for request, answer in zip(volley, await asyncio.gather(*asked), strict=True):
                self.answered_count += (
                    len(request.debits) if isinstance(request, BatchDebitRequest) else 1
                )
                if not isinstance(answer, Refusal | BatchDebitResponse):
                    learn(wallet, request, answer)


def learn(wallet: Acquaintance, request: Any, answer: Any) -> None:
    """Remember what was accepted."""
    if isinstance(request, PlaceHoldRequest):
        wallet.holds.append(request)
    seen = getattr(answer, "wallet", wallet.seen)
    if seen.entry_count >= wallet.seen.entry_count:
        wallet.seen = seen
