"""TelephonyService on the wire: requests become commands, subaccounts become messages."""

from typing import Any

from libs.rpc.times import optional_time
from libs.service import RpcService
from services.telephony.domain.changes import ChangeFilter
from services.telephony.domain.provisioning import ProvisionFilter, Wish
from services.telephony.domain.values import SubaccountFilter
from services.telephony.operations.organizations import OrganizationOperations
from services.telephony.operations.overview import OverviewOperations
from services.telephony.operations.provisioning import ProvisionOperations
from services.telephony.operations.reconciling import ReconcileOperations
from services.telephony.operations.sending import SendingOperations
from services.telephony.operations.subaccounts import SubaccountOperations
from services.telephony.operations.trouble import TwilioTrouble
from services.telephony.servicer.messages import (
    blocker_value,
    change_message,
    health_message,
    observed_state,
    optional_flag,
    organization_message,
    provision_message,
    subaccount_message,
    wanted_state,
)
from services.telephony.servicer.overview import overview_message
from tollgate.telephony.v1 import telephony_service_pb2, telephony_service_pb2_grpc

SERVICE_NAME = "tollgate.telephony.v1.TelephonyService"


class TelephonyServicer(telephony_service_pb2_grpc.TelephonyServiceServicer):
    """Translates; decides nothing."""

    def __init__(
        self,
        organizations: OrganizationOperations,
        subaccounts: SubaccountOperations,
        sending: SendingOperations,
        *,
        provisioning: ProvisionOperations,
        reconciling: ReconcileOperations,
        trouble: TwilioTrouble,
        overview: OverviewOperations,
    ) -> None:
        self._organizations = organizations
        self._subaccounts = subaccounts
        self._sending = sending
        self._provisioning = provisioning
        self._reconciling = reconciling
        self._trouble = trouble
        self._overview = overview

    async def RegisterSubaccount(
        self, request: telephony_service_pb2.RegisterSubaccountRequest, context: Any
    ) -> telephony_service_pb2.RegisterSubaccountResponse:
        """Put a subaccount under the organization's rule."""
        standing = await self._subaccounts.register(
            request.organization_id, request.brand_id, request.account_sid, request.actor
        )
        return telephony_service_pb2.RegisterSubaccountResponse(
            subaccount=subaccount_message(standing)
        )

    async def ProvisionSubaccount(
        self, request: telephony_service_pb2.ProvisionSubaccountRequest, context: Any
    ) -> telephony_service_pb2.ProvisionSubaccountResponse:
        """Have a subaccount made."""
        wish = Wish(
            organization_id=request.organization_id,
            reference_id=request.reference_id,
            brand_id=request.brand_id,
            friendly_name=request.friendly_name,
        )
        provisioned = await self._provisioning.provision(wish)
        return telephony_service_pb2.ProvisionSubaccountResponse(
            subaccount=subaccount_message(provisioned.standing),
            double_account_sids=provisioned.double_account_sids,
        )

    async def SuspendSubaccounts(
        self, request: telephony_service_pb2.SuspendSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.SuspendSubaccountsResponse:
        """Set the operator's block."""
        standings = await self._organizations.block(
            request.organization_id, request.note, request.actor
        )
        return telephony_service_pb2.SuspendSubaccountsResponse(
            subaccounts=[subaccount_message(standing) for standing in standings]
        )

    async def ReactivateSubaccounts(
        self, request: telephony_service_pb2.ReactivateSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.ReactivateSubaccountsResponse:
        """Lift the operator's block."""
        standings = await self._organizations.unblock(
            request.organization_id, request.note, request.actor
        )
        return telephony_service_pb2.ReactivateSubaccountsResponse(
            subaccounts=[subaccount_message(standing) for standing in standings]
        )

    async def GetSubaccount(
        self, request: telephony_service_pb2.GetSubaccountRequest, context: Any
    ) -> telephony_service_pb2.GetSubaccountResponse:
        """Read a subaccount."""
        standing = await self._subaccounts.get(request.account_sid)
        return telephony_service_pb2.GetSubaccountResponse(subaccount=subaccount_message(standing))

    async def ListSubaccounts(
        self, request: telephony_service_pb2.ListSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.ListSubaccountsResponse:
        """List subaccounts."""
        which = SubaccountFilter(
            organization_id=request.organization_id,
            brand_id=request.brand_id,
            drifted=optional_flag(request, "drifted"),
            failing=optional_flag(request, "failing"),
            wanted=wanted_state(request.wanted),
            observed=observed_state(request.observed),
            levels_missing=optional_flag(request, "levels_missing"),
        )
        page = await self._subaccounts.list_page(which, request.page_size, request.page_token)
        return telephony_service_pb2.ListSubaccountsResponse(
            subaccounts=[subaccount_message(standing) for standing in page.items],
            next_page_token=page.next_page_token,
        )

    async def ListSubaccountChanges(
        self, request: telephony_service_pb2.ListSubaccountChangesRequest, context: Any
    ) -> telephony_service_pb2.ListSubaccountChangesResponse:
        """List history."""
        which = ChangeFilter(
            organization_id=request.organization_id,
            account_sid=request.account_sid,
            start_time=optional_time(request, "start_time"),
            end_time=optional_time(request, "end_time"),
        )
        page = await self._subaccounts.list_changes(which, request.page_size, request.page_token)
        return telephony_service_pb2.ListSubaccountChangesResponse(
            changes=[change_message(change) for change in page.items],
            next_page_token=page.next_page_token,
        )

    async def ListProvisions(
        self, request: telephony_service_pb2.ListProvisionsRequest, context: Any
    ) -> telephony_service_pb2.ListProvisionsResponse:
        """List intents."""
        which = ProvisionFilter(
            organization_id=request.organization_id,
            open=optional_flag(request, "open"),
            failing=optional_flag(request, "failing"),
        )
        page = await self._provisioning.list_page(which, request.page_size, request.page_token)
        return telephony_service_pb2.ListProvisionsResponse(
            provisions=[provision_message(provision) for provision in page.items],
            next_page_token=page.next_page_token,
        )

    async def ReconcileSubaccounts(
        self, request: telephony_service_pb2.ReconcileSubaccountsRequest, context: Any
    ) -> telephony_service_pb2.ReconcileSubaccountsResponse:
        """Have subaccounts looked at now."""
        standings = await self._reconciling.reconcile(
            request.organization_id, request.actor, request.note
        )
        return telephony_service_pb2.ReconcileSubaccountsResponse(
            subaccounts=[subaccount_message(standing) for standing in standings]
        )

    async def CanOrganizationSend(
        self, request: telephony_service_pb2.CanOrganizationSendRequest, context: Any
    ) -> telephony_service_pb2.CanOrganizationSendResponse:
        """Advise."""
        blockers = await self._sending.find_blockers(request.organization_id, request.brand_id)
        return telephony_service_pb2.CanOrganizationSendResponse(
            allowed=not blockers, blockers=[blocker_value(blocker) for blocker in blockers]
        )

    async def GetOrganization(
        self, request: telephony_service_pb2.GetOrganizationRequest, context: Any
    ) -> telephony_service_pb2.GetOrganizationResponse:
        """Read why an organization may not send."""
        sight = await self._sending.look(request.organization_id)
        return telephony_service_pb2.GetOrganizationResponse(
            organization=organization_message(sight)
        )

    async def GetTwilioHealth(
        self, request: telephony_service_pb2.GetTwilioHealthRequest, context: Any
    ) -> telephony_service_pb2.GetTwilioHealthResponse:
        """Read how Twilio stands."""
        health = await self._trouble.read()
        return telephony_service_pb2.GetTwilioHealthResponse(health=health_message(health))

    async def GetOverview(
        self, request: telephony_service_pb2.GetOverviewRequest, context: Any
    ) -> telephony_service_pb2.GetOverviewResponse:
        """Tell how all subaccounts stand."""
        overview = await self._overview.read()
        return telephony_service_pb2.GetOverviewResponse(overview=overview_message(overview))


def telephony_service(
    organizations: OrganizationOperations,
    subaccounts: SubaccountOperations,
    sending: SendingOperations,
    *,
    provisioning: ProvisionOperations,
    reconciling: ReconcileOperations,
    trouble: TwilioTrouble,
    overview: OverviewOperations,
) -> RpcService:
    """Return the gRPC service of the subaccounts."""
    return RpcService(
        SERVICE_NAME,
        TelephonyServicer(
            organizations,
            subaccounts,
            sending,
            provisioning=provisioning,
            reconciling=reconciling,
            trouble=trouble,
            overview=overview,
        ),
        telephony_service_pb2_grpc.add_TelephonyServiceServicer_to_server,
    )
