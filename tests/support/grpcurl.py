"""The operator's tool, where it is."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

GRPCURL = shutil.which("grpcurl")
needs_grpcurl = pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not here")


class Printed(NamedTuple):
    """What grpcurl has printed, and how it has ended."""

    code: int
    output: str
    errors: str

    @property
    def messages(self) -> list[Any]:
        """The messages that were answered."""
        return list(_documents(self.output))


async def grpcurl(*arguments: str) -> Printed:
    """Run it against a service that speaks in the clear."""
    assert GRPCURL is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        GRPCURL, "-plaintext", *arguments, stdout=pipe, stderr=pipe
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return Printed(process.returncode, output.decode(), errors.decode())


def _documents(text: str) -> Iterator[Any]:
    decoder, rest = json.JSONDecoder(), text.lstrip()
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].lstrip()
