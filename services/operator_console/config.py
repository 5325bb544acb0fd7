"""The operator console's settings."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from libs.config import Address, EmptyIsNone, NamedAddresses, Seconds, ServiceSettings
from services.operator_console.domain.commands import SERVICES


class OperatorConsoleSettings(ServiceSettings):
    """Read from the environment, prefix OPERATOR_CONSOLE_."""

    model_config = SettingsConfigDict(env_prefix="OPERATOR_CONSOLE_")

    listen_address: Address = "127.0.0.1:50055"
    metrics_address: Address = "127.0.0.1:9105"
    # Where the four services are.
    services: NamedAddresses
    # Where the people who paste its commands reach them, if that is elsewhere.
    shown_services: Annotated[NamedAddresses | None, NoDecode, EmptyIsNone] = None
    # How these people's grpcurl proves who they are.
    grpcurl_options: str = Field(
        default="-cacert ca.crt -cert tls.crt -key tls.key",
        max_length=1000,
        pattern=r"^[ -~]*$",
        description="printable ASCII",
    )
    # What has not answered then is told of as down.
    answer_seconds_max: Seconds = 3.0

    @classmethod
    def certificate_role(cls) -> str:
        """Return operator_reader: it only looks."""
        return "operator_reader"

    @field_validator("services")
    @classmethod
    def _require_all(cls, named: Mapping[str, str]) -> Mapping[str, str]:
        if named.keys() != set(SERVICES):
            raise ValueError(f"expected name=host:port of {', '.join(SERVICES)}")
        return named

    @field_validator("shown_services")
    @classmethod
    def _require_known(cls, named: Mapping[str, str] | None) -> Mapping[str, str] | None:
        if named is not None and not named.keys() <= set(SERVICES):
            raise ValueError(f"expected name=host:port of some of {', '.join(SERVICES)}")
        return named
