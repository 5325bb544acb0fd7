"""docs/guarantees.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(test_\w+)`")
DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)


def test_every_test_that_a_promise_rests_on_exists() -> None:
    named = set(NAMED.findall((ROOT / "docs" / "guarantees.md").read_text()))
    defined = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in DEFINED.findall(path.read_text())
    }
    assert named
    assert named <= defined, named - defined
