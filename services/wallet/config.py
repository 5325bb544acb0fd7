"""The wallet's settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.config import Address, AnnouncingSettings, NamedAddresses


class WalletSettings(AnnouncingSettings):
    """Read from the environment, prefix WALLET_."""

    model_config = SettingsConfigDict(env_prefix="WALLET_")

    listen_address: Address = "127.0.0.1:50051"
    metrics_address: Address = "127.0.0.1:9101"
    observers: NamedAddresses
    default_currency: str = Field(default="USD", pattern=r"^([A-Z]{3})?$")
