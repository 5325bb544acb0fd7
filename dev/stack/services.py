"""The services as processes: which settings each knows, and what they are told of each other."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from dev.service_databases import SERVICES
from dev.stack.certificates import directory_of
from dev.stack.simulators import SIMULATORS
from libs.config import ServiceSettings, setting_names
from libs.rpc.credentials import AUTHORITIES_FILE, CERTIFICATE_FILE, KEY_FILE
from services.billing_gateway.config import BillingGatewaySettings
from services.campaign.config import CampaignSettings
from services.operator_console.config import OperatorConsoleSettings
from services.telephony.config import TelephonySettings
from services.wallet.config import WalletSettings

SETTINGS_TYPES: Mapping[str, type[ServiceSettings]] = {
    "wallet": WalletSettings,
    "campaign": CampaignSettings,
    "telephony": TelephonySettings,
    "billing_gateway": BillingGatewaySettings,
    "operator_console": OperatorConsoleSettings,
}

WALLET_OBSERVERS = ("campaign", "telephony")
SUBSCRIPTION_OBSERVERS = ("wallet", "campaign", "telephony")

# What the interpreter and the machine need, whatever the program.
MACHINE_SETTINGS = (
    *("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def setting_of(service: str, field: str, environment: Mapping[str, str]) -> str:
    """What a service's setting is, given or by its default."""
    default = SETTINGS_TYPES[service].model_fields[field].default
    return environment.get(setting_names(SETTINGS_TYPES[service])[field], str(default))


def development_settings(
    grpc_addresses: Mapping[str, str], simulator_urls: Mapping[str, str]
) -> dict[str, str]:
    """What services are told where nobody has told them otherwise."""
    told = {f"{service.upper()}_STOP_GRACE_SECONDS": "3" for service in SETTINGS_TYPES}
    told |= {
        "WALLET_ADDRESS": grpc_addresses["wallet"],
        "WALLET_OBSERVERS": _named(WALLET_OBSERVERS, grpc_addresses),
        "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS": _named(SUBSCRIPTION_OBSERVERS, grpc_addresses),
        "OPERATOR_CONSOLE_SERVICES": _named(SERVICES, grpc_addresses),
        "BILLING_GATEWAY_TRUST_CLAIMED_ORGANIZATIONS": "true",
        "STRIPE_LIVEMODE": "false",
        "OPEN_REFLECTION": "true",
    }
    for provider, url in simulator_urls.items():
        told |= SIMULATORS[provider].settings(url)
    return told


def access_settings(certificates_directory: Path) -> dict[str, str]:
    """By what each service proves itself: all by one authority, or none understands another."""
    operator = directory_of("operator", certificates_directory)
    return {
        "OPERATOR_CONSOLE_GRPCURL_OPTIONS": shlex.join(grpcurl_options(operator)),
    } | {
        f"{service.upper()}_{name}": value
        for service in SETTINGS_TYPES
        for name, value in (
            ("PLAINTEXT", "false"),
            ("TLS_DIRECTORY", str(directory_of(service, certificates_directory))),
        )
    }


def service_environment(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Only what this service knows how to use: no other service's secrets."""
    return only(setting_names(SETTINGS_TYPES[service]).values(), environment)


def only(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """These settings, where they are set, and what every program needs."""
    wanted = (*MACHINE_SETTINGS, *names)
    return {name: environment[name] for name in wanted if name in environment}


def grpcurl_options(caller: Path) -> list[str]:
    """What grpcurl proves itself with, and whom it believes."""
    files = ("-cacert", AUTHORITIES_FILE), ("-cert", CERTIFICATE_FILE), ("-key", KEY_FILE)
    return [part for option, name in files for part in (option, str(caller / name))]


def _named(services: Iterable[str], addresses: Mapping[str, str]) -> str:
    return ",".join(f"{service}={addresses[service]}" for service in services)
