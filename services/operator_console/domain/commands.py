"""The commands that people paste: each is ready, but for the person's own certificate."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

SERVICES: Final = ("wallet", "campaign", "telephony", "billing_gateway")
SERVICE_NAMES: Final[Mapping[str, str]] = {
    "wallet": "tollgate.wallet.v1.WalletService",
    "campaign": "tollgate.campaign.v1.CampaignService",
    "telephony": "tollgate.telephony.v1.TelephonyService",
    "billing_gateway": "tollgate.billing_gateway.v1.BillingGatewayService",
}
OPERATIONS: Final = "tollgate.operations.v1.OperationsService"
HEALTH: Final = "grpc.health.v1.Health"


@dataclass(frozen=True, slots=True)
class Commands:
    """Makes grpcurl commands for people who reach the services at these addresses."""

    addresses: Mapping[str, str]
    options: str

    def call(self, service: str, method: str, /, **request: object) -> str:
        """Return the call of a service's own rpc; the request's fields as the proto names them."""
        return self._grpcurl(service, f"{SERVICE_NAMES[service]}/{method}", request)

    def operate(self, service: str, method: str, /, **request: object) -> str:
        """Return the call of what every service offers to operators."""
        return self._grpcurl(service, f"{OPERATIONS}/{method}", request)

    def check_health(self, service: str) -> str:
        """Return the question whether a service is there, and its database."""
        return self._grpcurl(service, f"{HEALTH}/Check", {})

    def wait_for(self, service: str) -> str:
        """Return what ends when a service is there, and says of its database how it stands."""
        check = replace(self, options=f"{self.options} -connect-timeout 2").check_health(service)
        return f"until {check}; do sleep 2; done"

    def _grpcurl(self, service: str, method: str, request: Mapping[str, object]) -> str:
        content = shlex.quote(json.dumps(request, ensure_ascii=False))
        return f"grpcurl {self.options} -d {content} {self.addresses[service]} {method}"
