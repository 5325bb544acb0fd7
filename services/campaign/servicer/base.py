"""What the campaigns' rpcs stand on."""

from typing import NamedTuple

from services.campaign.operations.campaigns import CampaignOperations
from services.campaign.operations.organizations import OrganizationOperations
from services.campaign.operations.overview import OverviewOperations
from services.campaign.operations.stopping import Stopping
from services.campaign.operations.watching import Watching
from tollgate.campaign.v1 import campaign_service_pb2_grpc


class Parts(NamedTuple):
    """The campaigns' operations."""

    campaigns: CampaignOperations
    organizations: OrganizationOperations
    stopping: Stopping
    watching: Watching
    overview: OverviewOperations


class Rpcs(campaign_service_pb2_grpc.CampaignServiceServicer):
    """A family of rpcs: translates, and decides nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
