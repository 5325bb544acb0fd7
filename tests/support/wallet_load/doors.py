"""Wallets as processes of their own, and the ways to them."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc

from tests.support.databases import ServiceDatabase
from tests.support.processes import ServiceProcess
from tests.support.services import free_address
from tollgate.billing_gateway.v1.subscription_observer_service_pb2 import ReportSubscriptionRequest
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# Short, so that a test can come too late.
LATE_WINDOW = timedelta(seconds=1.5)


class Door:
    """A wallet, as callers reach it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.wallet = WalletServiceStub(channel)
        self.subscriptions = SubscriptionObserverServiceStub(channel)

    def method_for(self, request: object) -> Any:
        """Return the rpc that takes the request."""
        observed = isinstance(request, ReportSubscriptionRequest)
        stub = self.subscriptions if observed else self.wallet
        return getattr(stub, type(request).__name__.removesuffix("Request"))


def wallet_process(database: ServiceDatabase) -> ServiceProcess:
    """Return a wallet that nobody observes."""
    settings = {
        "WALLET_DATABASE_URL": database.url,
        "WALLET_OBSERVERS": "nobody=127.0.0.1:1",
        "WALLET_CHAIN_KEYS": "a key for tests that is long enough",
        "WALLET_HOLD_LATE_WINDOW_SECONDS": str(LATE_WINDOW.total_seconds()),
        "WALLET_SINGLE_WALLET_BATCHES": os.environ.get("SINGLE_WALLET_BATCHES", "false"),
    }
    return ServiceProcess("wallet", free_address(), settings)


@asynccontextmanager
async def door_of(process: ServiceProcess) -> AsyncIterator[Door]:
    """Open a way to the process that outlives it."""
    options = [("grpc.max_reconnect_backoff_ms", 100)]
    async with grpc.aio.insecure_channel(process.address, options) as channel:
        yield Door(channel)
