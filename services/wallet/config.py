"""The wallet's settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.config import Address, AnnouncingSettings, CommaSeparatedKeys, NamedAddresses, Seconds


class WalletSettings(AnnouncingSettings):
    """Read from the environment, prefix WALLET_."""

    model_config = SettingsConfigDict(env_prefix="WALLET_")

    listen_address: Address = "127.0.0.1:50051"
    metrics_address: Address = "127.0.0.1:9101"
    observers: NamedAddresses
    default_currency: str = Field(
        default="USD", pattern=r"^([A-Z]{3})?$", description="three capital letters, or nothing"
    )
    chain_keys: CommaSeparatedKeys = Field(min_length=1)
    hold_late_window_seconds: Seconds = 259_200.0
    check_interval_seconds: Seconds = 60.0
    queue_commands_max: int = Field(default=20_000, ge=1_000, le=1_000_000)
    queue_commands_per_wallet_max: int = Field(default=5_000, ge=1_000, le=1_000_000)
    single_wallet_batches: bool = False
