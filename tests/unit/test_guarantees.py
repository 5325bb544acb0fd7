"""The docs name tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(test_\w+)`")
DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)


@pytest.mark.parametrize("page", ["guarantees.md", "operations.md", "state_machines.md"])
def test_every_test_that_a_promise_rests_on_exists(page: str) -> None:
    named = set(NAMED.findall((ROOT / "docs" / page).read_text()))
    defined = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in DEFINED.findall(path.read_text())
    }
    assert named
    assert named <= defined, named - defined
