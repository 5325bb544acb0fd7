"""The wallet, and those who must know how subscriptions stand."""

import grpc

from libs.announcing.ports import LevelKey
from libs.errors import DomainError, ErrorReason
from libs.levels import SubscriptionLevel
from libs.rpc.client import call
from libs.rpc.times import to_timestamp
from services.billing_gateway.domain.values import PaymentLevel
from services.billing_gateway.ports import WALLET
from tollgate.billing_gateway.v1 import (
    subscription_observer_service_pb2,
    subscription_observer_service_pb2_grpc,
    subscription_pb2,
)
from tollgate.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc

TIMEOUT_SECONDS = 5.0


class WalletClient:
    """The wallet service; also the observer of payments."""

    name = WALLET

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = wallet_service_pb2_grpc.WalletServiceStub(channel)

    async def create_wallet(self, organization_id: str, currency_code: str) -> None:
        """Open the organization's wallet if there is none."""
        request = wallet_service_pb2.CreateWalletRequest(
            organization_id=organization_id, currency_code=currency_code
        )
        await call(self.name, self._stub.CreateWallet, request, TIMEOUT_SECONDS)

    async def find_currency(self, organization_id: str) -> str | None:
        """Return the wallet's currency; None without a wallet."""
        request = wallet_service_pb2.GetWalletRequest(organization_id=organization_id)
        try:
            response = await call(self.name, self._stub.GetWallet, request, TIMEOUT_SECONDS)
        except DomainError as error:
            if error.reason is ErrorReason.WALLET_NOT_FOUND:
                return None
            raise
        return response.wallet.currency_code

    async def report(self, key: LevelKey, level: PaymentLevel) -> int:
        """Tell the wallet a payment's level; return the revision that it holds then."""
        request = wallet_service_pb2.ApplyPaymentRequest(
            organization_id=key.organization_id,
            payment_id=key.key,
            revision=level.revision,
            currency_code=level.currency_code,
            credited_micros=level.credited_micros,
            description=level.description,
            reversed_micros=level.reversed_micros,
            at_risk_micros=level.at_risk_micros,
            blocks_spending=level.blocks_spending,
        )
        response = await call(self.name, self._stub.ApplyPayment, request, TIMEOUT_SECONDS)
        return response.stored_revision


class SubscriptionObserverClient:
    """One observer, known by its name and address only."""

    def __init__(self, name: str, channel: grpc.aio.Channel) -> None:
        self.name = name
        self._stub = subscription_observer_service_pb2_grpc.SubscriptionObserverServiceStub(channel)

    async def report(self, key: LevelKey, level: SubscriptionLevel) -> int:
        """Tell it the level; return the revision that it holds then."""
        request = subscription_observer_service_pb2.ReportSubscriptionRequest(
            organization_id=key.organization_id,
            revision=level.revision,
            state=subscription_pb2.SubscriptionState.Value(f"SUBSCRIPTION_STATE_{level.state}"),
            good_standing=level.good_standing,
            good_until=to_timestamp(level.good_until),
        )
        response = await call(self.name, self._stub.ReportSubscription, request, TIMEOUT_SECONDS)
        return response.stored_revision
