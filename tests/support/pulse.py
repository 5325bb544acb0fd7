"""How soon services serve their next good caller, before and after somebody has done his worst."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter
from typing import Any, Final

import grpc

from tests.support.doors import Door

# Of each service one that asks the database, and what it asks for.
READING: Final = {
    "wallet": ("/tollgate.wallet.v1.WalletService/ListWallets", b""),
    "campaign": ("/tollgate.campaign.v1.CampaignService/GetEmergencyStop", b""),
    "telephony": ("/tollgate.telephony.v1.TelephonyService/ListSubaccounts", b""),
    "billing_gateway": ("/tollgate.billing_gateway.v1.BillingGatewayService/ListPayments", b""),
}
CALLERS: Final = 5
# Normal is what it took a moment ago, on the same machine; a busy one is no defect.
RATIO_MAX: Final = 10.0
NORMAL_SECONDS: Final = 0.5


async def seconds_of_next(door: Door, service: str) -> float:
    """Return how long somebody good waits who connects now, usually. Fails if a call fails."""
    return median([await _seconds(door, service) for _ in range(CALLERS)])


async def _seconds(door: Door, service: str) -> float:
    path, body = READING[service]
    started = perf_counter()
    # A channel of its own connects anew.
    own = [("grpc.use_local_subchannel_pool", 1)]
    credentials = door.certificates("operator_reader").for_client()
    async with grpc.aio.secure_channel(door.address, credentials, own) as channel:
        rpc: Any = channel.unary_unary(path)
        await rpc(body, timeout=30.0)
    return perf_counter() - started


@asynccontextmanager
async def serving_as_before(doors: Mapping[str, Door], *names: str) -> AsyncIterator[None]:
    """Whatever is done meanwhile: who comes next is served as soon as who came before."""
    services = names or tuple(doors)
    before = await _all_seconds(doors, services)
    yield
    after = await _all_seconds(doors, services)
    slow = {
        name: (before[name], after[name])
        for name in services
        if after[name] > max(NORMAL_SECONDS, RATIO_MAX * before[name])
    }
    assert not slow, slow


async def _all_seconds(doors: Mapping[str, Door], services: Iterable[str]) -> dict[str, float]:
    return {name: await seconds_of_next(doors[name], name) for name in services}
