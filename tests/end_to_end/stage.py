"""A running stack whose every door is knocked at, and all that is heard there."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg

from dev.service_databases import SERVICES
from dev.stack.running_stack import RunningStack
from tests.end_to_end.every_rpc import Asked, Values, ask
from tests.support.doors import Door, methods_at

EVERYTHING_KEPT = """
SELECT format('SELECT t::text FROM %I t', table_name) FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


class Stage:
    """What is asked, failed and read of all services."""

    def __init__(
        self, environment: Mapping[str, str], running: RunningStack, http: aiohttp.ClientSession
    ) -> None:
        self.asked = Asked()
        self._environment = environment
        self._running = running
        self._http = http
        self._doors = {
            service: Door(address, running.certificates_directory)
            for service, address in running.grpc_addresses.items()
        }
        self.methods = {service: methods_at(door) for service, door in self._doors.items()}

    async def ask_all(self, values: Values, *, only_required: bool = False) -> None:
        """Ask every rpc of every service, one after the other."""
        for service, methods in self.methods.items():
            door = self._doors[service]
            await ask(self.asked, door, methods, values, only_required=only_required)

    async def ask_these(self, service: str, names: Collection[str], values: Values) -> None:
        """Ask some rpcs of one service, all at once."""
        door = self._doors[service]
        chosen = [method for method in self.methods[service] if method.name in names]
        assert len(chosen) == len(names)
        await asyncio.gather(*(ask(self.asked, door, [each], values) for each in chosen))

    async def let_providers_echo(self, status: int, *, tokens_too: bool = False) -> None:
        """From now on every provider refuses all, and quotes the credentials back.

        PayPal still gives out tokens, so that they are quoted too, if it is not said otherwise.
        """
        await self.let_providers_work()
        if not tokens_too:
            await self._set_fault("paypal", {"kind": "latency", "milliseconds": 0}, "token")
        for name in self._running.simulator_urls:
            await self._set_fault(name, {"kind": "echo", "status": status})

    async def let_providers_work(self) -> None:
        """From now on no provider fails."""
        for url in self._running.simulator_urls.values():
            async with self._http.delete(f"{url}/_simulator/faults") as answer:
                answer.raise_for_status()

    async def _set_fault(
        self, provider: str, fault: Mapping[str, Any], call: str | None = None
    ) -> None:
        url = f"{self._running.simulator_urls[provider]}/_simulator/faults"
        async with self._http.post(url, json={"fault": fault, "call": call}) as answer:
            answer.raise_for_status()

    async def let_happen(self, provider: str, verb: str, **arguments: Any) -> None:
        """Let something happen at a provider."""
        url = f"{self._running.simulator_urls[provider]}/_simulator/act/{verb}"
        async with self._http.post(url, json=arguments) as answer:
            answer.raise_for_status()

    async def deliver(self, provider: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Deliver any bytes with any headers; return the answer's status."""
        url = f"{self._running.webhooks_url}/{provider}"
        async with self._http.post(url, data=body, headers=headers) as answer:
            self.asked.told.append(f"{answer.status} {answer.headers} {await answer.text()}")
            return answer.status

    async def read_metrics(self) -> None:
        """Read what every service counts."""
        for service in self._running.grpc_addresses:
            address = self._environment[f"{service.upper()}_METRICS_ADDRESS"]
            async with self._http.get(f"http://{address}/metrics") as answer:
                answer.raise_for_status()
                self.asked.told.append(await answer.text())

    async def read_tables(self) -> None:
        """Read every row that every service keeps."""
        for service in SERVICES:
            async with self._database(service) as connection:
                for query in await connection.fetch(EVERYTHING_KEPT):
                    self.asked.told += [row[0] for row in await connection.fetch(query[0])]

    async def look_up(self, service: str, query: str, *arguments: str) -> Any:
        """Return one value of what a service keeps."""
        async with self._database(service) as connection:
            return await connection.fetchval(query, *arguments)

    @asynccontextmanager
    async def _database(self, service: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        port = self._environment["TOLLGATE_POSTGRES_PORT"]
        password = self._environment[f"{service.upper()}_OWNER_DATABASE_PASSWORD"]
        url = f"postgresql://{service}_owner:{password}@127.0.0.1:{port}/{service}"
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()
