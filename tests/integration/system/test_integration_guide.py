"""The program in docs/integration.md, block by block, as a backend that has only the stubs."""

import asyncio
import json
import re
import shlex
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from dev.access_table import services
from dev.simulators.stripe import StripeSimulator
from dev.stack.certificates import make_all_certificates
from libs.rpc.access import roles_of_methods
from libs.rpc.callers import ROLES
from tests.support.markdown import ROOT, Block, blocks_of
from tests.support.stack import CONSOLE, SERVICES, STRIPE_SECRET, Stack

PAGE = "docs/integration.md"
API_KEY = "sk_test_of_a_backend"
PORTS = {"wallet": 50051, "campaign": 50052, "telephony": 50053, "billing_gateway": 50054}
RUN_BLOCKS = """
import json, sys
names = {}
for line in sys.stdin:
    exec(compile(json.loads(line), "integration.md", "exec"), names)
    print("\\0", flush=True)
"""
ROW = re.compile(r"^\| (?P<roles>`\w+`(?:, `\w+`)*) \| .* \| (?P<rpcs>.*) \|$", re.MULTILINE)


class Backend:
    """Somebody's program that does what the page says."""

    def __init__(self, process: Process, stack: Stack) -> None:
        self._process = process
        self._stack = stack
        self.known: dict[str, str] = {
            ".data/certificates": str(stack.certificates),
            **{f"127.0.0.1:{port}": stack.addresses[name] for name, port in PORTS.items()},
        }

    async def run(self, block: Block) -> list[str]:
        """Return what a block prints; what it names is what there is here."""
        code = block.text
        for written, real in self.known.items():
            code = code.replace(written, real)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(code)}\n".encode())
        printed = await self._process.stdout.readuntil(b"\0\n")
        return printed.decode().splitlines()[:-1]


@pytest.fixture
async def stripe(stopped_stack: Stack) -> AsyncIterator[StripeSimulator]:
    """Stripe, as `make run` has it."""
    hook = f"http://{stopped_stack.addresses['http']}/webhooks/stripe"
    simulator = StripeSimulator(API_KEY, STRIPE_SECRET, hook)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def stack(stopped_stack: Stack, stripe: StripeSimulator, tmp_path: Path) -> Stack:
    """All services, as `make run` has them."""
    stopped_stack.certificates = tmp_path / "certificates"
    make_all_certificates(stopped_stack.certificates, (*SERVICES, CONSOLE))
    stopped_stack.gateway_settings = {
        "stripe_api_key": SecretStr(API_KEY),
        "stripe_api_base": stripe.base_url,
    }
    await stopped_stack.start()
    return stopped_stack


@pytest.fixture
async def backend(stack: Stack, stubs_python: Path) -> AsyncIterator[Backend]:
    """A program that is told one block after the other."""
    process = await asyncio.create_subprocess_exec(
        stubs_python, "-I", "-c", RUN_BLOCKS, stdin=PIPE, stdout=PIPE
    )
    yield Backend(process, stack)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


async def test_the_code_of_the_page_does_what_it_says(
    backend: Backend, stack: Stack, stripe: StripeSimulator
) -> None:
    for block in blocks_of(PAGE):
        if block.language == "sh":
            backend.known['"sub_1"'] = f'"{subscribe_as_told(block, stripe)}"'
            continue
        told_to_hold = "def hold(" in block.text
        if told_to_hold:
            await stack.stop("wallet")
        running = asyncio.create_task(backend.run(block))
        if told_to_hold:
            await stack.start("wallet")
        printed = await running
        if "checkout_url" in block.text:
            await pay(stack, printed.pop().removeprefix("pay at "))
        assert printed == block.promised


def subscribe_as_told(block: Block, stripe: StripeSimulator) -> str:
    """Let somebody subscribe by the command of the page; return the subscription's id."""
    *_, verb, _, told = shlex.split(block.text)
    assert verb.endswith("/_simulator/act/subscribe")
    return stripe.account.subscribe(**json.loads(told))


async def pay(stack: Stack, checkout_url: str) -> None:
    """Do what a customer does there."""
    async with stack.http.post(checkout_url, data={"act": "pay"}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "https://platform.example/paid"


def test_roles_may_call_what_the_page_says_that_they_call() -> None:
    may_call = roles_of_methods(service.full_name for service in services())
    callers = {path.rpartition("/")[2]: roles for path, roles in may_call.items()}
    told = {
        row["roles"]: row["rpcs"].split(", ") for row in ROW.finditer((ROOT / PAGE).read_text())
    }
    assert set(told) == {"`platform`", "`sender`", "`operator`, `operator_reader`"}
    for role in ("platform", "sender"):
        for rpc in told[f"`{role}`"]:
            assert ROLES[role] in callers[rpc]
