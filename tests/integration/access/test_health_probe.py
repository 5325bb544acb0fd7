"""What a container asks of the service that runs in it."""

import asyncio
import sys
from pathlib import Path

from dev.stack.certificates import directory_of
from tests.support.doors import Door
from tests.support.processes import ROOT
from tests.support.services import free_address


async def probe(*arguments: str) -> tuple[int | None, str]:
    """Return how it ends, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "libs.health_probe", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_probe_tells_whether_the_service_serves(wallet: Door, tmp_path: Path) -> None:
    own = str(directory_of("wallet", wallet.certificates_directory))
    assert await probe(wallet.address, own) == (0, "")
    for arguments, said in (
        ((wallet.address,), "no answer"),
        ((free_address(), own), "no answer"),
        ((wallet.address, str(tmp_path / "nowhere")), "no certificates"),
        ((), "usage"),
    ):
        code, output = await probe(*arguments)
        assert code == 1
        assert output.startswith(said)
        assert "Traceback" not in output
