"""Levels, told to an observer as the gateway and the wallet tell them."""

from datetime import UTC, datetime
from itertools import count

import grpc

from libs.rpc.times import to_timestamp
from tollgate.billing_gateway.v1 import subscription_observer_service_pb2, subscription_pb2
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import wallet_observer_service_pb2, wallet_pb2
from tollgate.wallet.v1.wallet_observer_service_pb2_grpc import WalletObserverServiceStub

ORGANIZATION = "org-1"
FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class LevelSteps:
    """Speaks to an observer; each level is newer than the last, unless a revision is given."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.subscriptions = SubscriptionObserverServiceStub(channel)
        self.wallets = WalletObserverServiceStub(channel)
        self._revisions = count(1)

    async def report_subscription(
        self,
        *,
        good: bool,
        until: datetime = FAR_FUTURE,
        organization_id: str = ORGANIZATION,
        revision: int | None = None,
    ) -> int:
        state = "SUBSCRIPTION_STATE_ACTIVE" if good else "SUBSCRIPTION_STATE_PAST_DUE"
        request = subscription_observer_service_pb2.ReportSubscriptionRequest(
            organization_id=organization_id,
            revision=revision or next(self._revisions),
            state=subscription_pb2.SubscriptionState.Value(state),
            good_standing=good,
            good_until=to_timestamp(until),
        )
        return (await self.subscriptions.ReportSubscription(request)).stored_revision

    async def report_wallet(
        self,
        *,
        frozen: bool = False,
        depleted: bool = False,
        depleted_since: datetime | None = LONG_AGO,
        owing_micros: int = 0,
        organization_id: str = ORGANIZATION,
        revision: int | None = None,
    ) -> int:
        request = wallet_observer_service_pb2.ReportWalletRequest(
            organization_id=organization_id,
            revision=revision or next(self._revisions),
            frozen=frozen,
            freeze_reasons=[wallet_pb2.FREEZE_REASON_OPERATOR] if frozen else [],
            depleted=depleted,
            depleted_since=to_timestamp(depleted_since) if depleted else None,
            owing_micros=owing_micros,
            ledger_currency_code="USD",
        )
        return (await self.wallets.ReportWallet(request)).stored_revision
