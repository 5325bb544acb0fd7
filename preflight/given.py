"""The environment that is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic_settings import BaseSettings

from libs.config import (
    SettingsT,
    is_loopback,
    read_settings,
    secret_settings,
    setting_names,
)
from libs.secret_files import SecretFileError, read_secret
from preflight.config import PreflightSettings
from preflight.problems import Problem
from services.billing_gateway.config import BillingGatewaySettings
from services.campaign.config import CampaignSettings
from services.operator_console.config import OperatorConsoleSettings
from services.telephony.config import TelephonySettings
from services.wallet.config import WalletSettings

# Those with a database; the console owns nothing.
OWNERS: Final = ("wallet", "campaign", "telephony", "billing_gateway")
SERVICES: Final = (*OWNERS, "operator_console")
SETTINGS_TYPES: Final[tuple[type[BaseSettings], ...]] = (
    WalletSettings,
    CampaignSettings,
    TelephonySettings,
    BillingGatewaySettings,
    OperatorConsoleSettings,
    PreflightSettings,
)


@dataclass(frozen=True, slots=True)
class Given:
    """What is set, and the settings that can be read from it."""

    environment: Mapping[str, str]
    # Which it was read from; None if that was the process's own.
    file: Path | None
    # Hosts that are reached without leaving this machine, though their names do not tell.
    near_hosts: frozenset[str]
    wallet: WalletSettings | None
    campaign: CampaignSettings | None
    telephony: TelephonySettings | None
    billing_gateway: BillingGatewaySettings | None
    operator_console: OperatorConsoleSettings | None
    preflight: PreflightSettings | None
    # Of settings that a service would not start with.
    refused: tuple[Problem, ...]

    def is_near(self, host: str) -> bool:
        """Tell whether a host is reached without leaving this machine."""
        return host in self.near_hosts or is_loopback(f"{host}:1")

    def value(self, name: str) -> str:
        """Return what a setting says, itself or by its file; empty if it says nothing."""
        try:
            return read_secret(name, self.environment) or ""
        except SecretFileError:
            return ""


def read_given(
    environment: Mapping[str, str],
    file: Path | None = None,
    near_hosts: frozenset[str] = frozenset(),
) -> Given:
    """Return what is given; the environment is the process's by now."""
    refused = list[Problem]()

    def read(settings_type: type[SettingsT]) -> SettingsT | None:
        settings, problems = read_settings(settings_type)
        refused.extend(Problem(setting, message) for setting, message in problems.items())
        return settings

    return Given(
        environment,
        file,
        near_hosts,
        wallet=read(WalletSettings),
        campaign=read(CampaignSettings),
        telephony=read(TelephonySettings),
        billing_gateway=read(BillingGatewaySettings),
        operator_console=read(OperatorConsoleSettings),
        preflight=read(PreflightSettings),
        # All are read by now.
        refused=tuple(refused),
    )


def all_settings() -> set[str]:
    """Return the names of all settings of the services, and of preflight."""
    return {name for type_ in SETTINGS_TYPES for name in setting_names(type_).values()}


def owner_setting(service: str) -> str:
    """Return the setting that says where a service's database is migrated."""
    return f"{service.upper()}_OWNER_DATABASE_URL"


def all_secrets() -> list[str]:
    """Return the names of all settings that are secrets."""
    of_services = [name for type_ in SETTINGS_TYPES for name in secret_settings(type_)]
    return [*dict.fromkeys(of_services), *map(owner_setting, OWNERS)]
