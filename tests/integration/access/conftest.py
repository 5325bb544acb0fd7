"""Services that let in only whoever proves who they are."""

from pathlib import Path

import pytest

from dev.stack.certificates import make_all_certificates
from tests.support.doors import Door
from tests.support.stack import SERVICES, Stack


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, and a certificate for everybody."""
    make_all_certificates(tmp_path, SERVICES)
    return tmp_path


@pytest.fixture
async def proven_stack(stopped_stack: Stack, certificates: Path) -> Stack:
    """Services, none of them started."""
    stopped_stack.certificates = certificates
    return stopped_stack


@pytest.fixture
async def wallet(proven_stack: Stack, certificates: Path) -> Door:
    """A wallet that runs."""
    await proven_stack.start("wallet")
    return Door(proven_stack.addresses["wallet"], certificates)
