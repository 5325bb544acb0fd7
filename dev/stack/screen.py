"""What the person at the terminal sees."""

import shlex
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from dev.simulators.control_api import PREFIX
from dev.stack.certificates import directory_of
from dev.stack.children import ChildDiedError
from dev.stack.doors import SIMULATED, Door, Doors
from dev.stack.services import grpcurl_options
from dev.stack.settings import StackSettings, env_file, password_settings
from dev.stack.simulators import SIMULATORS

GRPCURL = "https://github.com/fullstorydev/grpcurl"

# What a path answers, where a door has one to look at.
HTTP_PATHS = {"metrics": "/metrics", "webhooks": "/webhooks/*", SIMULATED: ""}


def show_env_file(console: Console, env_file: Path) -> None:
    console.print(f"Development values that were missing now stand in {env_file}.", soft_wrap=True)


def show_running(console: Console, doors: Doors, settings: StackSettings) -> None:
    """What listens where, and what to try."""
    console.print("\n[bold]Tollgate is running", table_of(doors))
    console.print(Text(f"Logs: {settings.log_directory}"), soft_wrap=True)
    console.print(Text(f"Certificates: {settings.certificates_directory}"), soft_wrap=True)
    console.print("\nTry, in another terminal:")
    for what, command in commands_to_try(doors, settings.certificates_directory).items():
        console.print(Text(f"  # {what}", style="dim"), soft_wrap=True)
        console.print(Text(f"  {command}", style="bold"), soft_wrap=True)
    console.print("\nCtrl-C stops everything.")


def table_of(doors: Doors) -> Table:
    # An address that is longer than the line goes on in the next: cut, it is of no use.
    table = Table("", "", Column(overflow="fold"), box=SIMPLE, show_header=False)
    shown = ""
    for door in doors.all():
        table.add_row("" if door.owner == shown else door.owner, door.purpose, _place(door))
        shown = door.owner
    return table


def commands_to_try(doors: Doors, certificates_directory: Path) -> dict[str, str]:
    """What somebody who is new here can do, by what it is."""
    platform = directory_of("platform", certificates_directory)
    top_up = (
        '{"organization_id": "acme", "provider": "PROVIDER_PAYPAL", "amount_micros": 25000000, '
        '"currency_code": "USD", "reference_id": "top-up-1", '
        '"return_url": "https://example.com/paid", "cancel_url": "https://example.com/back"}'
    )
    gateway = "tollgate.billing_gateway.v1.BillingGatewayService/CreateTopUp"
    wallet = "tollgate.wallet.v1.WalletService/GetWallet"
    asked = '{"organization_id": "acme"}'
    calls = {
        f"A top-up to pay in the browser, at its checkout_url. grpcurl: {GRPCURL}": _grpcurl(
            platform, doors.grpc_addresses["billing_gateway"], gateway, top_up
        ),
        "The wallet, once it is paid.": _grpcurl(
            platform, doors.grpc_addresses["wallet"], wallet, asked
        ),
        "What keeps it from sending, and what to do next.": _grpcurl(
            directory_of("operator", certificates_directory),
            doors.grpc_addresses["operator_console"],
            "tollgate.operator_console.v1.OperatorService/DiagnoseOrganization",
            asked,
        ),
    }
    lists = {
        f"What can be done at the {SIMULATORS[name].title}.": f"curl {url}{PREFIX}"
        for name, url in doors.simulator_urls.items()
    }
    return {**calls, **lists, **_databases(doors.postgres), "The whole story.": "make demo"}


def _databases(postgres: Door | None) -> dict[str, str]:
    if postgres is None:
        return {}
    host, _, port = postgres.address.rpartition(":")
    *_, password = password_settings("wallet")
    what = f"A service's database; {password} in {env_file()} is the password. So for each service."
    return {what: f"psql -h {host} -p {port} -U wallet_reader wallet"}


def _grpcurl(caller: Path, address: str, method: str, request: str) -> str:
    return shlex.join(["grpcurl", *grpcurl_options(caller), "-d", request, address, method])


def show_problem(console: Console, error: Exception) -> None:
    console.print(Text(str(error), style="bold red"), soft_wrap=True)
    if isinstance(error, ChildDiedError):
        console.print(Text(error.log_end), soft_wrap=True)
        console.print("Everything else was stopped; `make run` starts it again.", soft_wrap=True)


def _place(door: Door) -> str:
    path = HTTP_PATHS.get(door.purpose)
    return door.address if path is None else f"http://{door.reachable_address}{path}"
