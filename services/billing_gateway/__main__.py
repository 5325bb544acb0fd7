"""`python -m services.billing_gateway [serve | migrate]`."""

from libs.process import run_process
from services.billing_gateway.app import MIGRATIONS, build
from services.billing_gateway.config import BillingGatewaySettings

if __name__ == "__main__":
    run_process("billing_gateway", BillingGatewaySettings, build, MIGRATIONS)
