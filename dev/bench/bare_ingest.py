"""A bare handler of aiohttp that keeps what it is sent with one INSERT, and does nothing else."""

import argparse
import asyncio
import os
import signal
import uuid

import asyncpg
import uvloop
from aiohttp import web

from libs.http import HttpEndpoint

DATABASE_URL = "BENCH_DATABASE_URL"

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS kept_bodies (body_id uuid PRIMARY KEY, body bytea NOT NULL)
"""
INSERT = "INSERT INTO kept_bodies (body_id, body) VALUES ($1, $2)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.bench.bare_ingest", description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--connections", type=int, required=True, help="to the database")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.address, os.environ[DATABASE_URL], arguments.connections))


async def serve(address: str, database_url: str, connections: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncpg.create_pool(database_url, min_size=0, max_size=connections) as pool:
        await pool.execute(CREATE_TABLE)

        async def keep(request: web.Request) -> web.Response:
            await pool.execute(INSERT, uuid.uuid4(), await request.read())
            return web.Response()

        application = web.Application()
        application.router.add_post("/webhooks/{provider}", keep)
        endpoint = HttpEndpoint(application, address)
        await endpoint.start()
        await stop.wait()
        await endpoint.stop()


if __name__ == "__main__":
    main()
