"""Settings come from the environment, and all that is missing or wrong is reported at once."""

import sys
from collections.abc import Mapping
from typing import Annotated, NoReturn, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from libs.announcing.ports import AnnouncerTiming

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def _split_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


def _split_addresses(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [item.strip().partition("=") for item in value.split(",") if item.strip()]
    if any(not name or not address for name, _, address in pairs):
        raise ValueError("expected name=host:port,name=host:port")
    return {name: address for name, _, address in pairs}


CommaSeparatedSecrets = Annotated[
    tuple[SecretStr, ...], Field(min_length=1), NoDecode, BeforeValidator(_split_list)
]
NamedAddresses = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_split_addresses)]
Seconds = Annotated[float, Field(gt=0)]


class ServiceSettings(BaseSettings):
    """What every service is told. Each names its own prefix and addresses."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    database_url: str
    database_pool_size: int = Field(default=10, ge=1, le=200)
    listen_address: str
    metrics_address: str
    log_level: str = Field(default="INFO", validation_alias="LOG_LEVEL")
    stop_grace_seconds: Seconds = 10.0
    poll_interval_seconds: Seconds = 1.0


class AnnouncingSettings(ServiceSettings):
    """What a service is told that announces levels."""

    announce_back_off_max_seconds: Seconds = 10.0
    announce_sweep_interval_seconds: Seconds = 3600.0

    @property
    def announcer_timing(self) -> AnnouncerTiming:
        """Return how often to look, retry and announce everything again."""
        return AnnouncerTiming(
            poll_interval_seconds=self.poll_interval_seconds,
            back_off_max_seconds=self.announce_back_off_max_seconds,
            sweep_interval_seconds=self.announce_sweep_interval_seconds,
        )


def load_settings(settings_type: type[SettingsT]) -> SettingsT:
    """Return the settings, or end the process with one line for each that is missing or wrong."""
    try:
        return settings_type()
    except ValidationError as error:
        _exit_with_all_problems(settings_type, error)


def _exit_with_all_problems(settings_type: type[BaseSettings], error: ValidationError) -> NoReturn:
    prefix = settings_type.model_config.get("env_prefix", "")
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0])
        setting = name if name.isupper() else f"{prefix}{name}".upper()
        print(f"setting {setting}: {problem['msg']}", file=sys.stderr)
    raise SystemExit(2)
