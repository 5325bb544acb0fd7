"""The campaigns' settings."""

from pydantic_settings import SettingsConfigDict

from libs.config import ServiceSettings


class CampaignSettings(ServiceSettings):
    """Read from the environment, prefix CAMPAIGN_."""

    model_config = SettingsConfigDict(env_prefix="CAMPAIGN_")

    listen_address: str = "127.0.0.1:50052"
    metrics_address: str = "127.0.0.1:9102"
