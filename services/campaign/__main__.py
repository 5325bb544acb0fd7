"""`python -m services.campaign [serve | migrate]`."""

from libs.process import run_process
from services.campaign.app import MIGRATIONS, build
from services.campaign.config import CampaignSettings

if __name__ == "__main__":
    run_process("campaign", CampaignSettings, build, MIGRATIONS)
