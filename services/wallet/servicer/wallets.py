"""Rpcs of wallets and their freezes."""

from typing import Any

from libs.announcing.messages import announcement_message
from libs.rpc.times import optional_time
from services.wallet.domain.commands import LiftFreeze, OpenWallet, SetFreeze, SetThresholds
from services.wallet.domain.filters import WalletFilter
from services.wallet.servicer.base import Rpcs
from services.wallet.servicer.messages import (
    optional_freeze_reason,
    to_freeze_reason,
    wallet_message,
)
from tollgate.wallet.v1 import wallet_service_pb2


class WalletRpcs(Rpcs):
    """Translates; decides nothing."""

    async def CreateWallet(
        self, request: wallet_service_pb2.CreateWalletRequest, context: Any
    ) -> wallet_service_pb2.CreateWalletResponse:
        """Open the wallet."""
        effect = await self._engine.execute(
            request.organization_id, OpenWallet(request.currency_code)
        )
        return wallet_service_pb2.CreateWalletResponse(wallet=wallet_message(effect.wallet))

    async def GetWallet(
        self, request: wallet_service_pb2.GetWalletRequest, context: Any
    ) -> wallet_service_pb2.GetWalletResponse:
        """Read the wallet."""
        wallet = await self._wallets.get_wallet(request.organization_id)
        return wallet_service_pb2.GetWalletResponse(wallet=wallet_message(wallet))

    async def UpdateWallet(
        self, request: wallet_service_pb2.UpdateWalletRequest, context: Any
    ) -> wallet_service_pb2.UpdateWalletResponse:
        """Set when the wallet counts as depleted."""
        has = request.HasField
        effect = await self._engine.execute(
            request.organization_id,
            SetThresholds(
                request.depleted_below_micros if has("depleted_below_micros") else None,
                request.resume_above_micros if has("resume_above_micros") else None,
                request.note,
                request.actor,
            ),
        )
        return wallet_service_pb2.UpdateWalletResponse(wallet=wallet_message(effect.wallet))

    async def ListWallets(
        self, request: wallet_service_pb2.ListWalletsRequest, context: Any
    ) -> wallet_service_pb2.ListWalletsResponse:
        """List wallets."""
        has = request.HasField
        page = await self._wallets.list_wallets(
            WalletFilter(
                frozen=request.frozen if has("frozen") else None,
                owing=request.owing if has("owing") else None,
                depleted=request.depleted if has("depleted") else None,
                freeze_reason=optional_freeze_reason(request.freeze_reason),
                frozen_before=optional_time(request, "frozen_before"),
            ),
            request.page_size,
            request.page_token,
        )
        return wallet_service_pb2.ListWalletsResponse(
            wallets=[wallet_message(wallet) for wallet in page.items],
            next_page_token=page.next_page_token,
        )

    async def FreezeWallet(
        self, request: wallet_service_pb2.FreezeWalletRequest, context: Any
    ) -> wallet_service_pb2.FreezeWalletResponse:
        """Set a freeze."""
        command = SetFreeze(
            to_freeze_reason(request.reason), request.reference_id, request.note, request.actor
        )
        effect = await self._engine.execute(request.organization_id, command)
        return wallet_service_pb2.FreezeWalletResponse(wallet=wallet_message(effect.wallet))

    async def UnfreezeWallet(
        self, request: wallet_service_pb2.UnfreezeWalletRequest, context: Any
    ) -> wallet_service_pb2.UnfreezeWalletResponse:
        """Lift a freeze."""
        command = LiftFreeze(
            to_freeze_reason(request.reason), request.reference_id, request.note, request.actor
        )
        effect = await self._parts.verification.lift_freeze(request.organization_id, command)
        return wallet_service_pb2.UnfreezeWalletResponse(wallet=wallet_message(effect.wallet))

    async def ListAnnouncements(
        self, request: wallet_service_pb2.ListAnnouncementsRequest, context: Any
    ) -> wallet_service_pb2.ListAnnouncementsResponse:
        """List how far observers have taken the wallet's level."""
        found = await self._wallets.list_announcements(request.organization_id)
        return wallet_service_pb2.ListAnnouncementsResponse(
            announcements=[announcement_message(each) for each in found]
        )
