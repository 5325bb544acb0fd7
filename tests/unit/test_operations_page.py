"""What docs/operations.md names is there: services, modules, rpcs, and what is measured."""

import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from google.protobuf import json_format
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass
from ruamel.yaml import YAML

from dev.access_table import services
from dev.bench.options import parse_options
from dev.bench.rows import goals_for
from libs.errors import ErrorReason
from libs.rpc.rules import check_request
from tests.support.markdown import ROOT, blocks_of
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2
from tollgate.operator_console.v1 import operator_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

PAGE = "docs/operations.md"
ASKED = (billing_gateway_service_pb2, operator_service_pb2, wallet_service_pb2)
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
NEEDED = re.compile(r"\$\{(\w+):\?")
# Nobody can make them up.
KNOWN_TO_PEOPLE = {"TLS_DIRECTORY", "TWILIO_ACCOUNT_SID"}
CAMEL_CASE = re.compile(r"\b(?:[A-Z][a-z]+){2,}\b")
SETTING = re.compile(
    r"`((?:PREFLIGHT|WALLET|CAMPAIGN|TELEPHONY|BILLING_GATEWAY|STRIPE|PAYPAL|TWILIO)_[A-Z_]+)\b"
)
ROW = re.compile(r"^\| (.*?) \| at (least|most) ([\d.]+)(?: bytes)? \| .* \|$", re.MULTILINE)


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each command that the page has for a program."""
    first = program.split()
    lines = "\n".join(block.text for block in blocks_of(PAGE)).replace("\\\n", " ").splitlines()
    of_lines = (shlex.split(re.split(" [<>] ", line)[0]) for line in lines)
    return [words[len(first) :] for words in of_lines if words[: len(first)] == first]


@pytest.mark.parametrize("arguments", commands("docker compose"), ids=" ".join)
def test_compose_knows_what_is_asked_of_it(arguments: Sequence[str]) -> None:
    verb, words = split_compose(arguments)
    named = [word for word in words if not word.startswith("-")]
    if verb in ("exec", "run"):
        named = named[:1]
    assert verb in {"build", "exec", "logs", "ps", "restart", "run", "stop", "up"}
    assert set(named) <= set(COMPOSE["services"])


def split_compose(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the verb and its words; files and profiles before it must be there."""
    match list(arguments):
        case ["--env-file", "servers.env", *rest]:
            return split_compose(rest)
        case ["--file", file, *rest]:
            assert (ROOT / file).exists()
            return split_compose(rest)
        case ["--profile", profile, *rest]:
            assert any(profile in each.get("profiles", ()) for each in COMPOSE["services"].values())
            return split_compose(rest)
        case words:
            return words[0], words[1:]


@pytest.mark.parametrize("arguments", commands("grpcurl"), ids=lambda words: words[-1])
def test_rpcs_are_asked_what_they_take(arguments: Sequence[str]) -> None:
    *options, _, path = arguments
    service, _, name = path.partition("/")
    assert service in {each for m in ASKED for each in full_names(m)}
    method = Default().FindServiceByName(service).methods_by_name[name]
    request = GetMessageClass(method.input_type)()
    check_request(json_format.Parse(options[options.index("-d") + 1], request))


def full_names(module: Any) -> Iterator[str]:
    yield from (it.full_name for it in module.DESCRIPTOR.services_by_name.values())


@pytest.mark.parametrize("arguments", commands(".venv/bin/python -m"), ids=" ".join)
def test_programs_are_there(arguments: Sequence[str]) -> None:
    assert importlib.util.find_spec(arguments[0])


def test_targets_are_there() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / PAGE).read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_all_passwords_and_keys_are_made_up(tmp_path: Path) -> None:
    [secrets] = [block for block in blocks_of(PAGE) if "secrets/" in block.text]
    subprocess.run(["bash", "-euc", secrets.text], cwd=tmp_path, check=True)  # noqa: S603, S607
    made_up = dotenv_values(tmp_path / "servers.env")
    compose = (ROOT / "docker-compose.yml").read_text()
    assert set(made_up) == set(NEEDED.findall(compose)) - KNOWN_TO_PEOPLE
    keys = [file.read_text().strip() for file in (tmp_path / "secrets").iterdir()]
    values = [value or "" for value in (*made_up.values(), *keys)]
    assert len(set(values)) == len(values)
    assert all(re.fullmatch(r"[\w-]{44}", value) for value in values)
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_what_is_measured_and_what_it_must_reach_is_what_the_bench_says() -> None:
    options = parse_options([])
    goals = goals_for(options.wallets, options.entries, options.canceled)
    bounds = {goal.what: ("most" if goal.at_most else "least", goal.least) for goal in goals}
    told = ROW.findall((ROOT / PAGE).read_text())
    assert len(told) == 9
    for what, bound, least in told:
        assert bounds[what] == (bound, float(least))


def test_alerts_and_rpcs_have_these_names() -> None:
    alerts = {
        rule["alert"]
        for file in (ROOT / "ops" / "prometheus" / "rules").glob("*.yml")
        for group in YAML(typ="safe").load(file)["groups"]
        for rule in group["rules"]
    }
    asked = (*services(), *operator_service_pb2.DESCRIPTOR.services_by_name.values())
    rpcs = {name for each in asked for name in (each.name, *each.methods_by_name)}
    named = set(CAMEL_CASE.findall((ROOT / PAGE).read_text()))
    assert named & alerts
    assert named <= alerts | rpcs | {"PayPal"}


@pytest.mark.parametrize("page", [PAGE, "docs/integration.md"])
def test_settings_have_these_names(page: str) -> None:
    named = set(SETTING.findall((ROOT / page).read_text())) - set(ErrorReason)
    settings = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named
    assert named <= settings
