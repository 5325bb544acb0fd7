"""Starts everything in its order, watches it, and stops it in the opposite order."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.postgres import EmbeddedPostgres, EmbeddedPostgresError
from dev.stack.certificates import directory_of, make_all_certificates
from dev.stack.children import Child, ChildDiedError, start_child, stop_children
from dev.stack.databases import make_databases, migrate_databases
from dev.stack.doors import Door, Doors
from dev.stack.errors import StackError
from dev.stack.running_stack import RunningStack, forget_running_stack, write_running_stack
from dev.stack.services import (
    SETTINGS_TYPES,
    access_settings,
    development_settings,
    only,
    service_environment,
)
from dev.stack.settings import StackSettings, services_without_database
from dev.stack.simulators import SIMULATORS, arguments_of, paypal_root_file
from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates

START_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02


class Stack:
    """All that `make run` runs."""

    def __init__(
        self, settings: StackSettings, environment: Mapping[str, str], doors: Doors
    ) -> None:
        """`environment` is what the settings of the services are taken from."""
        self._settings = settings
        self._environment = dict(environment)
        self._doors = doors
        self._postgres: EmbeddedPostgres | None = None
        self._simulators: list[Child] = []
        self._services: list[Child] = []

    async def start(self) -> RunningStack:
        """Returns when every service says that it is serving."""
        self._settings.log_directory.mkdir(parents=True, exist_ok=True)
        make_all_certificates(self._settings.certificates_directory, SETTINGS_TYPES)
        await self._start_simulators()
        await self._prepare_databases()
        await self._wait_until_simulators_listen()
        await self._start_services()
        await self._wait_until_all_answer()
        running = self._describe()
        write_running_stack(self._settings.data_directory, running)
        return running

    async def watch(self) -> None:
        """Raises as soon as anything ends that should run."""
        waits = [asyncio.ensure_future(child.wait()) for child in self._children()]
        if self._postgres is not None:
            waits.append(asyncio.ensure_future(self._watch_postgres(self._postgres)))
        try:
            ended, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._refuse_deaths()
        for wait in ended:
            wait.result()

    async def _watch_postgres(self, postgres: EmbeddedPostgres) -> None:
        exit_code = await postgres.wait()
        log_file = self._settings.data_directory / "postgres" / "server.log"
        raise ChildDiedError("postgres", exit_code, log_file)

    async def stop(self) -> None:
        """Those who use it before what they use; safe at any moment, once."""
        forget_running_stack(self._settings.data_directory)
        await stop_children(self._services)
        await stop_children(self._simulators)
        if self._postgres is not None:
            await self._postgres.stop()

    async def _start_simulators(self) -> None:
        for name, door in self._doors.simulators.items():
            arguments = arguments_of(
                name,
                door.address,
                self._doors.webhooks_url,
                self._settings.data_directory,
                self._environment,
            )
            environment = only(SIMULATORS[name].credentials, self._environment)
            logs = self._settings.log_directory
            child = await start_child(f"{name}_simulator", arguments, environment, logs)
            self._simulators.append(child)

    async def _prepare_databases(self) -> None:
        if services_without_database(self._environment):
            given = self._settings.database_url
            superuser_url = given.get_secret_value() if given else await self._start_postgres()
            self._environment |= await make_databases(superuser_url, self._environment)
        await migrate_databases(self._environment)

    async def _start_postgres(self) -> str:
        directory = self._settings.data_directory / "postgres"
        self._postgres = EmbeddedPostgres(directory, self._settings.postgres_port)
        try:
            await self._postgres.start()
        except (EmbeddedPostgresError, FileNotFoundError) as error:
            raise StackError(str(error)) from error
        return self._postgres.superuser_url()

    async def _start_services(self) -> None:
        told = development_settings(self._doors.grpc_addresses, self._doors.simulator_urls)
        access = access_settings(self._settings.certificates_directory)
        environment = {**told, **self._environment, **access}
        for service in SETTINGS_TYPES:
            module, more = f"services.{service}", dict[str, str]()
            if service == "billing_gateway" and "paypal" in self._doors.simulators:
                module, more = "dev.billing_gateway", self._describe_paypal()
            self._services.append(
                await start_child(
                    service,
                    [module],
                    service_environment(service, environment) | more,
                    self._settings.log_directory,
                )
            )

    def _describe_paypal(self) -> dict[str, str]:
        """What the gateway believes a simulated PayPal by."""
        return {
            "PAYPAL_SIMULATOR_URL": self._doors.simulator_urls["paypal"],
            "PAYPAL_SIMULATOR_ROOT_FILE": str(paypal_root_file(self._settings.data_directory)),
        }

    async def _wait_until_simulators_listen(self) -> None:
        """By then PayPal's has made its certificates, which the gateway reads when it starts."""
        deadline = time.monotonic() + START_SECONDS_MAX
        for name, door in self._doors.simulators.items():
            while not await is_listening(door):
                await self._pause_before_next_look(f"{name}_simulator", deadline)

    async def _wait_until_all_answer(self) -> None:
        """One after the other, though they start at once: the last one decides anyway."""
        deadline = time.monotonic() + START_SECONDS_MAX
        directory = self._settings.certificates_directory
        reader = read_certificates(directory_of("operator_reader", directory))
        for service, address in self._doors.grpc_addresses.items():
            async with open_channel(address, reader) as channel:
                while not await is_serving(channel):
                    await self._pause_before_next_look(service, deadline)

    async def _pause_before_next_look(self, name: str, deadline: float) -> None:
        self._refuse_deaths()
        if time.monotonic() > deadline:
            logs = self._settings.log_directory
            raise StackError(f"{name} is not ready after {START_SECONDS_MAX:.0f} s: see {logs}.")
        await asyncio.sleep(POLL_SECONDS)

    def _refuse_deaths(self) -> None:
        for child in self._children():
            if not child.is_alive:
                raise ChildDiedError(child.name, child.process.returncode, child.log_file)

    def _children(self) -> list[Child]:
        return [*self._services, *self._simulators]

    def _describe(self) -> RunningStack:
        process_ids = {child.name: child.process.pid for child in self._children()}
        if self._postgres is not None:
            process_ids["postgres"] = self._postgres.process_id
        return RunningStack(
            grpc_addresses=self._doors.grpc_addresses,
            certificates_directory=self._settings.certificates_directory,
            webhooks_url=self._doors.webhooks_url,
            simulator_urls=self._doors.simulator_urls,
            process_ids=process_ids,
        )


async def is_serving(channel: grpc.aio.Channel) -> bool:
    """Tell whether the service at its other end can do its work, as far as it knows."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def is_listening(door: Door) -> bool:
    host, _, port = door.reachable_address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
