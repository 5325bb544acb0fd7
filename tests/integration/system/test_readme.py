"""The README's own code, as it stands there, against a running stack."""

import asyncio
import sys
from pathlib import Path

from dev.stack.certificates import make_all_certificates
from tests.support.markdown import ROOT, blocks_of
from tests.support.stack import CONSOLE, SERVICES, Stack


async def test_the_code_in_the_readme_does_what_it_says(
    stopped_stack: Stack, tmp_path: Path
) -> None:
    stopped_stack.certificates = tmp_path / ".data" / "certificates"
    make_all_certificates(stopped_stack.certificates, (*SERVICES, CONSOLE))
    await stopped_stack.start("wallet")
    [block] = [block for block in blocks_of("README.md") if block.language == "python"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        block.text.replace("127.0.0.1:50051", stopped_stack.addresses["wallet"]),
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "protos" / "gen")},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert printed.decode().splitlines() == block.promised
