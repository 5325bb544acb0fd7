"""What `make run` is told: the process environment over `.env`, and values made up for the rest."""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from dev.service_databases import SERVICES
from dev.stack.errors import StackError
from dev.stack.services import SETTINGS_TYPES
from dev.stack.simulators import SIMULATORS, simulated
from libs.config import secret_settings
from libs.secret_files import SecretFileError, read_secret

CHECKOUT = Path(__file__).resolve().parents[2]

# Here nothing is an answer: no currency, no observers.
CAN_BE_EMPTY = frozenset(
    {"WALLET_DEFAULT_CURRENCY", "WALLET_OBSERVERS", "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS"}
)

# What proves that a service wrote what it finds, and is lost with its database.
KEYS_OF_DATABASES = {
    "wallet": "WALLET_CHAIN_KEYS",
    "billing_gateway": "BILLING_GATEWAY_CLAIM_KEYS",
}

PORT_MAX = 65_535
Port = Annotated[int, Field(ge=1, le=PORT_MAX)]


class StackSettings(BaseModel):
    """What only `make run` and `make demo` are told; no service sees it."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    data_directory: Path = Field(default=CHECKOUT / ".data", alias="TOLLGATE_DATA_DIRECTORY")
    postgres_port: Port = Field(default=54329, alias="TOLLGATE_POSTGRES_PORT")
    twilio_simulator_port: Port = Field(default=54330, alias="TOLLGATE_TWILIO_SIMULATOR_PORT")
    paypal_simulator_port: Port = Field(default=54331, alias="TOLLGATE_PAYPAL_SIMULATOR_PORT")
    stripe_simulator_port: Port = Field(default=54332, alias="TOLLGATE_STRIPE_SIMULATOR_PORT")
    database_url: SecretStr | None = Field(default=None, alias="DATABASE_URL")

    @property
    def simulator_ports(self) -> dict[str, int]:
        """Of each provider's simulator."""
        return {
            "twilio": self.twilio_simulator_port,
            "paypal": self.paypal_simulator_port,
            "stripe": self.stripe_simulator_port,
        }

    @property
    def certificates_directory(self) -> Path:
        """An authority, and a certificate for everybody."""
        return self.data_directory / "certificates"

    @property
    def log_directory(self) -> Path:
        """One file of JSON lines for each process, of the last run."""
        return self.data_directory / "logs"


def env_file() -> Path:
    """The one setting that cannot stand in the file itself."""
    return Path(os.environ.get("TOLLGATE_ENV_FILE") or CHECKOUT / ".env")


def read_environment() -> dict[str, str]:
    """What `.env` and, over it, the process environment set. Empty is unset, mostly."""
    given = {**dotenv_values(env_file(), interpolate=False), **os.environ}
    set_ = {name: value or "" for name, value in given.items() if value or name in CAN_BE_EMPTY}
    return set_ | _read_secret_files(set_)


def _read_secret_files(environment: Mapping[str, str]) -> dict[str, str]:
    """What files say, so that nothing is made up for it."""
    of_services = (name for type_ in SETTINGS_TYPES.values() for name in secret_settings(type_))
    read = {}
    for name in (*of_services, *map(owner_database_setting, SERVICES)):
        try:
            read[name] = read_secret(name, environment)
        except SecretFileError as error:
            raise StackError(f"setting {name}: {error}") from error
    return {name: value for name, value in read.items() if value}


def read_settings(environment: Mapping[str, str]) -> StackSettings:
    try:
        return StackSettings.model_validate(environment)
    except ValidationError as error:
        problems = [f"setting {each['loc'][0]}: {each['msg']}" for each in error.errors()]
        raise StackError("\n".join(problems)) from error


def made_up_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Development values for what nobody has set and no real provider has given."""
    return {
        name: make_up()
        for name, make_up in _development_values(environment).items()
        if name not in environment
    }


def keep_in_env_file(values: Mapping[str, str]) -> None:
    """Adds them to `.env`, which nobody else may read."""
    lines = [f"{name}={value}\n" for name, value in values.items()]
    with os.fdopen(os.open(env_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("".join(["\n# Made up by `make run`, for development only.\n", *lines]))


def database_setting(service: str) -> str:
    return f"{service.upper()}_DATABASE_URL"


def owner_database_setting(service: str) -> str:
    return f"{service.upper()}_OWNER_DATABASE_URL"


def password_settings(service: str) -> tuple[str, str, str]:
    """Of the roles that own the database, serve, and read for people."""
    name = service.upper()
    return (
        f"{name}_OWNER_DATABASE_PASSWORD",
        f"{name}_DATABASE_PASSWORD",
        f"{name}_READER_DATABASE_PASSWORD",
    )


def services_without_database(environment: Mapping[str, str]) -> list[str]:
    """Those for which `make run` has to make one."""
    return [service for service in SERVICES if database_setting(service) not in environment]


def _development_values(environment: Mapping[str, str]) -> dict[str, Callable[[], str]]:
    values: dict[str, Callable[[], str]] = {
        name: lambda: secrets.token_urlsafe(24)
        for service in services_without_database(environment)
        for name in password_settings(service)
    }
    for service, name in KEYS_OF_DATABASES.items():
        if service in services_without_database(environment):
            values[name] = lambda: secrets.token_urlsafe(32)
    for provider in simulated(environment):
        values |= SIMULATORS[provider].credentials
    return values
