"""Those who must know how wallets stand."""

import grpc

from libs.announcing.ports import LevelKey
from libs.levels import WalletLevel
from libs.rpc.client import call
from libs.rpc.times import to_timestamp
from tollgate.wallet.v1 import (
    wallet_observer_service_pb2,
    wallet_observer_service_pb2_grpc,
    wallet_pb2,
)

REPORT_TIMEOUT_SECONDS = 5.0


class WalletObserverClient:
    """One observer, known by its name and address only."""

    def __init__(self, name: str, channel: grpc.aio.Channel) -> None:
        self.name = name
        self._stub = wallet_observer_service_pb2_grpc.WalletObserverServiceStub(channel)

    async def report(self, key: LevelKey, level: WalletLevel) -> int:
        """Tell it the level; return the revision that it holds then."""
        request = wallet_observer_service_pb2.ReportWalletRequest(
            organization_id=key.organization_id,
            revision=level.revision,
            frozen=level.frozen,
            freeze_reasons=[
                wallet_pb2.FreezeReason.Value(f"FREEZE_REASON_{reason}")
                for reason in level.freeze_reasons
            ],
            depleted=level.depleted,
            depleted_since=to_timestamp(level.depleted_since),
            owing_micros=level.owing_micros,
            ledger_currency_code=level.currency_code,
        )
        response = await call(self.name, self._stub.ReportWallet, request, REPORT_TIMEOUT_SECONDS)
        return response.stored_revision
