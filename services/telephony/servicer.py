"""TelephonyService on the wire: requests become commands, subaccounts become messages."""

from typing import Any, Literal

from libs.rpc.times import to_timestamp
from libs.service import RpcService
from services.telephony.domain.values import (
    Blocker,
    ObservedState,
    Standing,
    SubaccountFilter,
    WantedState,
)
from services.telephony.operations import TelephonyOperations
from tollgate.telephony.v1 import (
    subaccount_pb2,
    telephony_service_pb2,
    telephony_service_pb2_grpc,
)

SERVICE_NAME = "tollgate.telephony.v1.TelephonyService"


class TelephonyServicer(telephony_service_pb2_grpc.TelephonyServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, operations: TelephonyOperations) -> None:
        self._operations = operations

    async def RegisterSubaccount(
        self, request: telephony_service_pb2.RegisterSubaccountRequest, context: Any
    ) -> telephony_service_pb2.RegisterSubaccountResponse:
        """Put a subaccount under the organization's rule."""
        standing = await self._operations.register_subaccount(
            request.organization_id, request.brand_id, request.account_sid
        )
        return telephony_service_pb2.RegisterSubaccountResponse(
            subaccount=_subaccount_message(standing)
        )

    async def SuspendSubaccounts(
        self, request: telephony_service_pb2.SuspendSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.SuspendSubaccountsResponse:
        """Set the operator's block."""
        standings = await self._operations.block(
            request.organization_id, request.note, request.actor
        )
        return telephony_service_pb2.SuspendSubaccountsResponse(
            subaccounts=[_subaccount_message(standing) for standing in standings]
        )

    async def ReactivateSubaccounts(
        self, request: telephony_service_pb2.ReactivateSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.ReactivateSubaccountsResponse:
        """Lift the operator's block."""
        standings = await self._operations.unblock(
            request.organization_id, request.note, request.actor
        )
        return telephony_service_pb2.ReactivateSubaccountsResponse(
            subaccounts=[_subaccount_message(standing) for standing in standings]
        )

    async def GetSubaccount(
        self, request: telephony_service_pb2.GetSubaccountRequest, context: Any
    ) -> telephony_service_pb2.GetSubaccountResponse:
        """Read a subaccount."""
        standing = await self._operations.get_subaccount(request.account_sid)
        return telephony_service_pb2.GetSubaccountResponse(subaccount=_subaccount_message(standing))

    async def ListSubaccounts(
        self, request: telephony_service_pb2.ListSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.ListSubaccountsResponse:
        """List subaccounts."""
        which = SubaccountFilter(
            organization_id=request.organization_id,
            brand_id=request.brand_id,
            drifted=_optional_flag(request, "drifted"),
            failing=_optional_flag(request, "failing"),
            wanted=_wanted_state(request.wanted),
            observed=_observed_state(request.observed),
            levels_missing=_optional_flag(request, "levels_missing"),
        )
        page = await self._operations.list_subaccounts(which, request.page_size, request.page_token)
        return telephony_service_pb2.ListSubaccountsResponse(
            subaccounts=[_subaccount_message(standing) for standing in page.items],
            next_page_token=page.next_page_token,
        )

    async def CanOrganizationSend(
        self, request: telephony_service_pb2.CanOrganizationSendRequest, context: Any
    ) -> telephony_service_pb2.CanOrganizationSendResponse:
        """Advise."""
        blockers = await self._operations.find_sending_blockers(
            request.organization_id, request.brand_id
        )
        return telephony_service_pb2.CanOrganizationSendResponse(
            allowed=not blockers, blockers=[_blocker_value(blocker) for blocker in blockers]
        )


def _optional_flag(
    request: telephony_service_pb2.ListSubaccountsRequest,
    field: Literal["drifted", "failing", "levels_missing"],
) -> bool | None:
    flag: bool = getattr(request, field)
    return flag if request.HasField(field) else None


def _wanted_state(value: subaccount_pb2.WantedState.ValueType) -> WantedState | None:
    if value == subaccount_pb2.WANTED_STATE_UNSPECIFIED:
        return None
    return WantedState(subaccount_pb2.WantedState.Name(value).removeprefix("WANTED_STATE_"))


def _observed_state(value: subaccount_pb2.ObservedState.ValueType) -> ObservedState | None:
    if value == subaccount_pb2.OBSERVED_STATE_UNSPECIFIED:
        return None
    return ObservedState(subaccount_pb2.ObservedState.Name(value).removeprefix("OBSERVED_STATE_"))


def _blocker_value(blocker: Blocker) -> subaccount_pb2.Blocker.ValueType:
    return subaccount_pb2.Blocker.Value(f"BLOCKER_{blocker}")


def _subaccount_message(standing: Standing) -> subaccount_pb2.Subaccount:
    subaccount = standing.subaccount
    wanted = subaccount.wanted or "UNSPECIFIED"
    return subaccount_pb2.Subaccount(
        account_sid=subaccount.account_sid,
        organization_id=subaccount.organization_id,
        brand_id=subaccount.brand_id,
        wanted=subaccount_pb2.WantedState.Value(f"WANTED_STATE_{wanted}"),
        observed=subaccount_pb2.ObservedState.Value(f"OBSERVED_STATE_{subaccount.observed}"),
        blockers=[_blocker_value(blocker) for blocker in standing.blockers],
        drifted=subaccount.drifted,
        last_error=subaccount.last_error,
        attempt_count=subaccount.attempt_count,
        next_attempt_time=to_timestamp(subaccount.next_attempt_time),
        observe_time=to_timestamp(subaccount.observe_time),
        create_time=to_timestamp(subaccount.create_time),
    )


def telephony_service(operations: TelephonyOperations) -> RpcService:
    """Return the gRPC service of the subaccounts."""
    return RpcService(
        SERVICE_NAME,
        TelephonyServicer(operations),
        telephony_service_pb2_grpc.add_TelephonyServiceServicer_to_server,
    )
