"""The campaigns' settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.config import Address, OwnerSettings, Seconds


class CampaignSettings(OwnerSettings):
    """Read from the environment, prefix CAMPAIGN_."""

    model_config = SettingsConfigDict(env_prefix="CAMPAIGN_")

    listen_address: Address = "127.0.0.1:50052"
    metrics_address: Address = "127.0.0.1:9102"
    # Streams of WatchCampaigns that this process keeps open.
    watchers_max: int = Field(default=1000, ge=1, le=100_000)
    # A watcher is woken by each change; this is for what it is not told of.
    watch_poll_seconds: Seconds = 10.0
