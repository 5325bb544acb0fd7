"""The campaigns' settings."""

from pydantic_settings import SettingsConfigDict

from libs.config import Address, ServiceSettings


class CampaignSettings(ServiceSettings):
    """Read from the environment, prefix CAMPAIGN_."""

    model_config = SettingsConfigDict(env_prefix="CAMPAIGN_")

    listen_address: Address = "127.0.0.1:50052"
    metrics_address: Address = "127.0.0.1:9102"
