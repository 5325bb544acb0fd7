"""`make run` and `make demo` as a person uses them, beside whatever else runs on this machine."""

import os
import re
import select
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from dotenv import dotenv_values

from dev.stack.certificates import directory_of
from dev.stack.running_stack import RunningStack
from dev.stack.simulators import paypal_root_file
from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates
from tests.support.make_run import environment_in, launch, make_run, run, running_in
from tests.support.processes import command_lines, descendants
from tollgate.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc

pytestmark = [
    pytest.mark.database,
    # The whole stack starts twice, and the whole story is told.
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as Linux has it"),
]

BALANCE_MICROS_AFTER_DEMO = 67_485_000

SECRETS = {
    *("BILLING_GATEWAY_CLAIM_KEYS", "WALLET_CHAIN_KEYS"),
    *("PAYPAL_CLIENT_SECRET", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS", "TWILIO_AUTH_TOKEN"),
}

START_CHILD = """
import asyncio, os, sys
from pathlib import Path
from dev.stack.children import start_child

async def main():
    simulator = ["dev.simulators.twilio", "--port", "0", "--account-sid", "AC" + 32 * "0"]
    environment = {**os.environ, "TWILIO_AUTH_TOKEN": "token"}
    child = await start_child("child", simulator, environment, Path(sys.argv[1]))
    print(child.process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and settings of this module's runs: each finds what the last one left."""
    return tmp_path_factory.mktemp("make_run")


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """Ports that nobody has, and nothing of the checkout's own."""
    return environment_in(folder)


async def end(process: Process, provoke: Callable[[], None]) -> tuple[int | None, str]:
    """The exit code, and what was shown at the end; nothing of it may be left."""
    with ExitStack() as handles:
        handle_of = {}
        for process_id in descendants(process.pid):
            handle_of[process_id] = os.pidfd_open(process_id)
            handles.callback(os.close, handle_of[process_id])
        provoke()
        shown, _ = await process.communicate()
        ended, _, _ = select.select(handle_of.values(), [], [], 0)
        left = [process_id for process_id, handle in handle_of.items() if handle not in ended]
    assert not left
    return process.returncode, shown.decode()


def secrets_told(folder: Path, shown: str, process_id: int) -> list[str]:
    """The names of the made up values that stand where anybody may read them."""
    running = (folder / "data" / "stack.json").read_text()
    told = "\n".join([shown, running, *command_lines(process_id)])
    made_up = dotenv_values(folder / ".env")
    assert made_up.keys() >= SECRETS
    # A name, as it were; Twilio asks for it in the clear.
    secrets = {name: value for name, value in made_up.items() if name != "TWILIO_ACCOUNT_SID"}
    return [name for name, secret in secrets.items() if secret and secret in told]


def kept_in(folder: Path) -> dict[str, bytes]:
    """What was made up once: credentials, and whom the simulated PayPal is believed by."""
    root_file = paypal_root_file(folder / "data")
    return {file.name: file.read_bytes() for file in (folder / ".env", root_file)}


async def balance_micros(running: RunningStack, organization_id: str) -> int:
    reader = read_certificates(directory_of("operator_reader", running.certificates_directory))
    async with open_channel(running.grpc_addresses["wallet"], reader) as channel:
        wallet = wallet_service_pb2_grpc.WalletServiceStub(channel)
        request = wallet_service_pb2.GetWalletRequest(organization_id=organization_id)
        return (await wallet.GetWallet(request)).wallet.balance_micros


@pytest.mark.long
async def test_the_demo_passes_and_its_money_is_there_the_next_time(
    environment: dict[str, str], folder: Path
) -> None:
    async with make_run(environment) as (process, table):
        assert not secrets_told(folder, table, process.pid)
        port = environment["TOLLGATE_POSTGRES_PORT"]
        assert f"psql -h 127.0.0.1 -p {port} -U wallet_reader wallet" in table
        simulators = running_in(folder).simulator_urls.values()
        assert all(f"curl {url}/_simulator\n" in table for url in simulators)
        kept = kept_in(folder)
        exit_code, story = await run(environment, "-m", "dev.demo")
        assert exit_code == 0, story
        exit_code, shown = await end(process, partial(process.send_signal, signal.SIGINT))
        assert exit_code == 0, shown

    told = re.search(r"organization (\S+)", story)
    assert told is not None, story
    async with make_run(environment) as (process, _):
        balance = await balance_micros(running_in(folder), told[1])
        assert kept_in(folder) == kept
        exit_code, shown = await end(process, partial(process.send_signal, signal.SIGTERM))
    assert balance == BALANCE_MICROS_AFTER_DEMO
    assert exit_code == 0, shown


async def test_everything_stops_when_a_service_dies(
    environment: dict[str, str], folder: Path
) -> None:
    async with make_run(environment) as (process, _):
        victim = running_in(folder).process_ids["telephony"]
        exit_code, shown = await end(process, partial(os.kill, victim, signal.SIGKILL))
    assert exit_code == 1
    assert "telephony was ended by SIGKILL" in shown
    assert "service_started" in shown, "the end of its log"
    assert shown.endswith("Everything else was stopped; `make run` starts it again.\n")


async def test_a_service_that_cannot_start_is_shown_with_its_reason(
    environment: dict[str, str],
) -> None:
    exit_code, shown = await run(
        {**environment, "WALLET_DATABASE_POOL_SIZE": "many"}, "-m", "dev.stack"
    )
    assert exit_code == 1
    assert "wallet ended with exit code 2" in shown
    assert "setting WALLET_DATABASE_POOL_SIZE: " in shown


async def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    environment: dict[str, str],
) -> None:
    host, _, port = environment["CAMPAIGN_METRICS_ADDRESS"].rpartition(":")
    with socket.create_server((host, int(port))):
        exit_code, shown = await run(environment, "-m", "dev.stack")
    assert exit_code == 1
    assert f"campaign (metrics) cannot listen on {host}:{port}: taken" in shown
    assert "CAMPAIGN_METRICS_ADDRESS" in shown


async def test_the_demo_says_when_nothing_runs(environment: dict[str, str]) -> None:
    exit_code, shown = await run(environment, "-m", "dev.demo")
    assert exit_code == 1
    assert "Tollgate is not running" in shown


async def test_a_child_ends_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    starter = await launch(os.environ, "-c", START_CHILD, str(tmp_path))
    assert starter.stdout is not None
    handle = os.pidfd_open(int(await starter.stdout.readline()))
    starter.kill()
    await starter.communicate()
    ended, _, _ = select.select([handle], [], [], 10)
    os.close(handle)
    assert ended
