"""The observers' side of the levels' contracts, once for every service that observes."""

from typing import Any, Protocol

from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from libs.rpc.times import optional_time
from libs.service import RpcService
from tollgate.billing_gateway.v1 import (
    subscription_observer_service_pb2,
    subscription_observer_service_pb2_grpc,
    subscription_pb2,
)
from tollgate.wallet.v1 import (
    wallet_observer_service_pb2,
    wallet_observer_service_pb2_grpc,
    wallet_pb2,
)


class ObservesSubscriptions(Protocol):
    """Whoever must know how subscriptions stand."""

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take the level if it is news; return the revision held."""
        ...


class ObservesWallets(Protocol):
    """Whoever must know how wallets stand."""

    async def observe_wallet(self, organization_id: str, level: WalletLevel) -> int:
        """Take the level if it is news; return the revision held."""
        ...


class SubscriptionObserverServicer(
    subscription_observer_service_pb2_grpc.SubscriptionObserverServiceServicer
):
    """Hands subscription levels to the service."""

    def __init__(self, operations: ObservesSubscriptions) -> None:
        self._operations = operations

    async def ReportSubscription(  # noqa: N802 - the contract's name
        self,
        request: subscription_observer_service_pb2.ReportSubscriptionRequest,
        context: Any,  # noqa: ARG002 - gRPC's signature
    ) -> subscription_observer_service_pb2.ReportSubscriptionResponse:
        """Take a level."""
        state = subscription_pb2.SubscriptionState.Name(request.state)
        level = SubscriptionLevel(
            revision=request.revision,
            state=SubscriptionState(state.removeprefix("SUBSCRIPTION_STATE_")),
            good_standing=request.good_standing,
            good_until=optional_time(request, "good_until"),
        )
        held = await self._operations.observe_subscription(request.organization_id, level)
        return subscription_observer_service_pb2.ReportSubscriptionResponse(stored_revision=held)


class WalletObserverServicer(wallet_observer_service_pb2_grpc.WalletObserverServiceServicer):
    """Hands wallet levels to the service."""

    def __init__(self, operations: ObservesWallets) -> None:
        self._operations = operations

    async def ReportWallet(  # noqa: N802 - the contract's name
        self,
        request: wallet_observer_service_pb2.ReportWalletRequest,
        context: Any,  # noqa: ARG002 - gRPC's signature
    ) -> wallet_observer_service_pb2.ReportWalletResponse:
        """Take a level."""
        level = WalletLevel(
            revision=request.revision,
            frozen=request.frozen,
            freeze_reasons=tuple(_reason(value) for value in request.freeze_reasons),
            depleted=request.depleted,
            depleted_since=optional_time(request, "depleted_since"),
            owing_micros=request.owing_micros,
            currency_code=request.ledger_currency_code,
        )
        held = await self._operations.observe_wallet(request.organization_id, level)
        return wallet_observer_service_pb2.ReportWalletResponse(stored_revision=held)


def _reason(value: wallet_pb2.FreezeReason.ValueType) -> str:
    return wallet_pb2.FreezeReason.Name(value).removeprefix("FREEZE_REASON_")


def subscription_observer(operations: ObservesSubscriptions) -> RpcService:
    """Return the gRPC service that takes subscription levels."""
    return RpcService(
        "tollgate.billing_gateway.v1.SubscriptionObserverService",
        SubscriptionObserverServicer(operations),
        subscription_observer_service_pb2_grpc.add_SubscriptionObserverServiceServicer_to_server,
    )


def wallet_observer(operations: ObservesWallets) -> RpcService:
    """Return the gRPC service that takes wallet levels."""
    return RpcService(
        "tollgate.wallet.v1.WalletObserverService",
        WalletObserverServicer(operations),
        wallet_observer_service_pb2_grpc.add_WalletObserverServiceServicer_to_server,
    )
