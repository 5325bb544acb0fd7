"""What a service says when it begins, or why it does not: in one line."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from dev.stack.certificates import make_all_certificates
from dev.stack.settings import owner_database_setting
from tests.conftest import MakeDatabase
from tests.support.canaries import plant, settings_with, told_of
from tests.support.make_run import environment_in, run
from tests.support.stack import Stack

pytestmark = pytest.mark.database

SERVICE = "campaign"


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Only one is needed."""
    return (SERVICE,)


@pytest.mark.parametrize("is_proven", [False, True])
async def test_whoever_serves_in_the_clear_says_so(
    stopped_stack: Stack, tmp_path: Path, *, is_proven: bool
) -> None:
    if is_proven:
        make_all_certificates(tmp_path, (SERVICE,))
        stopped_stack.certificates = tmp_path
    with capture_logs() as logs:
        await stopped_stack.start(SERVICE)
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert warnings == ([] if is_proven else ["serves_in_the_clear"])


@pytest.mark.parametrize("door", ["LISTEN", "METRICS"])
async def test_whoever_finds_a_port_taken_says_which(tmp_path: Path, door: str) -> None:
    planted = plant()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = settings_with(planted, SERVICE) | {f"CAMPAIGN_{door}_ADDRESS": address}
        environment = environment_in(tmp_path) | settings
        exit_code, shown = await run(environment, "-m", f"services.{SERVICE}")
    assert exit_code == 1
    assert f"cannot listen on {address}: " in shown
    assert "Traceback" not in shown
    assert told_of(planted, shown) == set()


@pytest.mark.parametrize(
    ("password", "query", "expected"),
    [
        ("hunter2", "", "InvalidPasswordError: password authentication failed"),
        ("", "?sslmode=require", "ConnectionError: PostgreSQL server at"),
    ],
)
async def test_whoever_cannot_migrate_says_why(
    make_database: MakeDatabase, tmp_path: Path, password: str, query: str, expected: str
) -> None:
    parts = urlsplit((await make_database(SERVICE)).superuser_url)
    password = password or str(parts.password)
    netloc = f"postgres:{password}@127.0.0.1:{parts.port}"
    url = parts._replace(netloc=netloc).geturl() + query
    environment = environment_in(tmp_path) | {owner_database_setting(SERVICE): url}
    exit_code, shown = await run(environment, "-m", f"services.{SERVICE}", "migrate")
    assert exit_code == 1
    assert shown.startswith(f"the database cannot be migrated: {expected}")
    assert shown.count("\n") == 1
    assert password not in shown
