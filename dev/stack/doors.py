"""Everything that listens: where, for whom, and which setting moves it elsewhere."""

import errno
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from dev.postgres import HOST
from dev.stack.errors import StackError
from dev.stack.services import SETTINGS_TYPES, setting_of
from dev.stack.settings import PORT_MAX, StackSettings, services_without_database
from dev.stack.simulators import SIMULATORS, simulated
from libs.config import setting_names

# What a simulator has, for services and for whoever makes things happen.
SIMULATED = "API, /_simulator"

# What listens on every address of the machine is reached on this one.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True)
class Door:
    """One address that somebody listens on."""

    owner: str
    purpose: str
    address: str
    setting: str

    @property
    def reachable_address(self) -> str:
        """The address for whoever calls from this machine."""
        host, _, port = self.address.rpartition(":")
        return f"{EVERYWHERE.get(host, host)}:{port}"


@dataclass(frozen=True)
class Doors:
    """All that will listen."""

    grpc: Mapping[str, Door]
    metrics: Mapping[str, Door]
    webhooks: Door
    simulators: Mapping[str, Door]
    postgres: Door | None

    def all(self) -> list[Door]:
        of_services = [
            door for service in self.grpc for door in (self.grpc[service], self.metrics[service])
        ]
        of_others = [self.webhooks, *self.simulators.values()]
        return [*of_services, *of_others, *filter(None, [self.postgres])]

    @property
    def grpc_addresses(self) -> dict[str, str]:
        return {service: door.reachable_address for service, door in self.grpc.items()}

    @property
    def webhooks_url(self) -> str:
        return f"http://{self.webhooks.reachable_address}/webhooks"

    @property
    def simulator_urls(self) -> dict[str, str]:
        return {name: f"http://{door.address}" for name, door in self.simulators.items()}


def plan_doors(settings: StackSettings, environment: Mapping[str, str]) -> Doors:
    makes_databases = bool(services_without_database(environment))
    starts_postgres = makes_databases and settings.database_url is None
    return Doors(
        grpc=_doors_of_services("gRPC", "listen_address", environment),
        metrics=_doors_of_services("metrics", "metrics_address", environment),
        webhooks=_door_of("billing_gateway", "webhooks", "http_address", environment),
        simulators={name: _simulator_door(name, settings) for name in simulated(environment)},
        postgres=_postgres_door(settings) if starts_postgres else None,
    )


def refuse_taken_doors(doors: Iterable[Door]) -> None:
    """Says for all at once which cannot be listened on."""
    with ExitStack() as listeners:
        problems = [problem for door in doors if (problem := _try_to_listen(door, listeners))]
    if problems:
        raise StackError("\n".join([*problems, "Is another `make run` running?"]))


def _simulator_door(name: str, settings: StackSettings) -> Door:
    address = f"{HOST}:{settings.simulator_ports[name]}"
    setting = f"TOLLGATE_{name.upper()}_SIMULATOR_PORT"
    return Door(SIMULATORS[name].title, SIMULATED, address, setting)


def _postgres_door(settings: StackSettings) -> Door:
    address = f"{HOST}:{settings.postgres_port}"
    return Door("PostgreSQL", "databases", address, "TOLLGATE_POSTGRES_PORT")


def _doors_of_services(purpose: str, field: str, environment: Mapping[str, str]) -> dict[str, Door]:
    return {service: _door_of(service, purpose, field, environment) for service in SETTINGS_TYPES}


def _door_of(service: str, purpose: str, field: str, environment: Mapping[str, str]) -> Door:
    address = setting_of(service, field, environment)
    setting = setting_names(SETTINGS_TYPES[service])[field]
    _, _, port = address.rpartition(":")
    if not port.isdecimal() or not 1 <= int(port) <= PORT_MAX:
        raise StackError(f"setting {setting}: expected host:port, not {address}")
    return Door(service, purpose, address, setting)


def _try_to_listen(door: Door, listeners: ExitStack) -> str | None:
    """Keeps it until all were tried, so that one address given twice is found too."""
    host, _, port = door.address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listeners.enter_context(socket.create_server((host.strip("[]"), int(port)), family=family))
    except OSError as error:
        reason = "taken" if error.errno == errno.EADDRINUSE else error.strerror
        return (
            f"{door.owner} ({door.purpose}) cannot listen on {door.address}: {reason}. "
            f"Stop the program that does, or set {door.setting}."
        )
    return None
