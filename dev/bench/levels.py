"""Levels, told to an observer as the gateway and the wallet tell them."""

from datetime import UTC, datetime

import grpc

from dev.bench.requests import CURRENCY_CODE
from libs.rpc.times import to_timestamp
from tollgate.billing_gateway.v1 import subscription_observer_service_pb2, subscription_pb2
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import wallet_observer_service_pb2
from tollgate.wallet.v1.wallet_observer_service_pb2_grpc import WalletObserverServiceStub

FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
CALL_SECONDS_MAX = 30.0


async def report_good_wallet(channel: grpc.aio.Channel, organization_id: str) -> None:
    """The first that the observer hears of it: there is money."""
    request = wallet_observer_service_pb2.ReportWalletRequest(
        organization_id=organization_id, revision=1, ledger_currency_code=CURRENCY_CODE
    )
    await WalletObserverServiceStub(channel).ReportWallet(request, timeout=CALL_SECONDS_MAX)


async def report_subscription(
    channel: grpc.aio.Channel, organization_id: str, revision: int, *, good: bool
) -> None:
    request = subscription_observer_service_pb2.ReportSubscriptionRequest(
        organization_id=organization_id,
        revision=revision,
        state=subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
        if good
        else subscription_pb2.SUBSCRIPTION_STATE_CANCELED,
        good_standing=good,
        good_until=to_timestamp(FAR_FUTURE) if good else None,
    )
    await SubscriptionObserverServiceStub(channel).ReportSubscription(
        request, timeout=CALL_SECONDS_MAX
    )
