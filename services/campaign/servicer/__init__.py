"""CampaignService on the wire: requests become commands, campaigns become messages."""

from libs.service import RpcService
from services.campaign.servicer.base import Parts
from services.campaign.servicer.campaigns import CampaignRpcs
from services.campaign.servicer.organizations import OrganizationRpcs
from services.campaign.servicer.overview import OverviewRpcs
from tollgate.campaign.v1 import campaign_service_pb2_grpc

SERVICE_NAME = "tollgate.campaign.v1.CampaignService"


class CampaignServicer(CampaignRpcs, OrganizationRpcs, OverviewRpcs):
    """All rpcs of the campaigns."""


def campaign_service(parts: Parts) -> RpcService:
    """Return the gRPC service of the campaigns."""
    return RpcService(
        SERVICE_NAME,
        CampaignServicer(parts),
        campaign_service_pb2_grpc.add_CampaignServiceServicer_to_server,
    )
