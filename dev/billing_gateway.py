"""The gateway as production composes it, but for one thing: it believes a simulated PayPal.

`python -m dev.billing_gateway [serve | migrate]`, as `python -m services.billing_gateway`. Which
addresses certificates may lie at, whose name they bear and how they are verified stays as it is.
"""

from pydantic import Field, FilePath
from pydantic_settings import BaseSettings, SettingsConfigDict

from dev.simulators.paypal.trust import simulator_trust
from libs.config import ApiBase, load_settings
from libs.process import run_process
from libs.service import Service
from services.billing_gateway.app import MIGRATIONS, build
from services.billing_gateway.config import BillingGatewaySettings


class SimulatedPayPal(BaseSettings):
    """Where the simulator serves its certificate, and the root that this comes from."""

    model_config = SettingsConfigDict(frozen=True)

    url: ApiBase = Field(validation_alias="PAYPAL_SIMULATOR_URL")
    root_file: FilePath = Field(validation_alias="PAYPAL_SIMULATOR_ROOT_FILE")


async def build_for_simulator(settings: BillingGatewaySettings) -> Service:
    """Return the service, not started."""
    paypal = load_settings(SimulatedPayPal)
    return await build(settings, simulator_trust(paypal.url, paypal.root_file.read_bytes()))


if __name__ == "__main__":
    run_process("billing_gateway", BillingGatewaySettings, build_for_simulator, MIGRATIONS)
