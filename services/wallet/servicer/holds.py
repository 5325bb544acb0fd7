"""Rpcs of holds."""

from typing import Any

from libs.rpc.times import to_timedelta
from services.wallet.domain.commands import CaptureHold, PlaceHold, ReleaseHold
from services.wallet.domain.draft import Effect
from services.wallet.servicer.base import Rpcs
from services.wallet.servicer.messages import (
    entry_message,
    hold_message,
    optional_hold_state,
    to_metadata,
    wallet_message,
)
from tollgate.wallet.v1 import hold_pb2, wallet_service_holds_pb2


class HoldRpcs(Rpcs):
    """Translates; decides nothing."""

    async def PlaceHold(
        self, request: wallet_service_holds_pb2.PlaceHoldRequest, context: Any
    ) -> wallet_service_holds_pb2.PlaceHoldResponse:
        """Set money aside."""
        effect = await self._engine.execute(
            request.organization_id,
            PlaceHold(
                amount_micros=request.amount_micros,
                currency_code=request.currency_code,
                reference_id=request.reference_id,
                ttl=to_timedelta(request.ttl),
                description=request.description,
                metadata=to_metadata(request.metadata),
            ),
        )
        return wallet_service_holds_pb2.PlaceHoldResponse(
            hold=self._hold(effect),
            wallet=wallet_message(effect.wallet),
            replayed=effect.replayed,
        )

    async def CaptureHold(
        self, request: wallet_service_holds_pb2.CaptureHoldRequest, context: Any
    ) -> wallet_service_holds_pb2.CaptureHoldResponse:
        """Spend what was set aside."""
        effect = await self._engine.execute(
            request.organization_id,
            CaptureHold(
                hold_reference_id=request.hold_reference_id,
                amount_micros=request.amount_micros,
                reference_id=request.reference_id,
                final=request.final,
                allow_excess=request.allow_excess,
                late_window=self._late_window,
            ),
        )
        return wallet_service_holds_pb2.CaptureHoldResponse(
            hold=self._hold(effect),
            entries=[entry_message(entry) for entry in effect.entries],
            wallet=wallet_message(effect.wallet),
            replayed=effect.replayed,
        )

    async def ReleaseHold(
        self, request: wallet_service_holds_pb2.ReleaseHoldRequest, context: Any
    ) -> wallet_service_holds_pb2.ReleaseHoldResponse:
        """Free what was set aside."""
        effect = await self._engine.execute(
            request.organization_id, ReleaseHold(request.hold_reference_id)
        )
        return wallet_service_holds_pb2.ReleaseHoldResponse(
            hold=self._hold(effect), wallet=wallet_message(effect.wallet)
        )

    async def GetHold(
        self, request: wallet_service_holds_pb2.GetHoldRequest, context: Any
    ) -> wallet_service_holds_pb2.GetHoldResponse:
        """Read a hold."""
        hold, wallet = await self._wallets.get_hold(
            request.organization_id, request.hold_reference_id
        )
        return wallet_service_holds_pb2.GetHoldResponse(
            hold=hold_message(hold, wallet.currency_code, self._late_window)
        )

    async def ListHolds(
        self, request: wallet_service_holds_pb2.ListHoldsRequest, context: Any
    ) -> wallet_service_holds_pb2.ListHoldsResponse:
        """List holds."""
        page, currency_code = await self._wallets.list_holds(
            request.organization_id,
            optional_hold_state(request.state),
            request.page_size,
            request.page_token,
        )
        return wallet_service_holds_pb2.ListHoldsResponse(
            holds=[hold_message(hold, currency_code, self._late_window) for hold in page.items],
            next_page_token=page.next_page_token,
        )

    def _hold(self, effect: Effect) -> hold_pb2.Hold | None:
        """Of a repetition whose hold was lost since, nothing can be told."""
        if not effect.holds:
            return None
        return hold_message(effect.holds[0], effect.wallet.currency_code, self._late_window)
