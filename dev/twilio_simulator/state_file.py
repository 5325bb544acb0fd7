"""The accounts in a file, between runs."""

import tempfile
from pathlib import Path

from pydantic import TypeAdapter

from dev.twilio_simulator.accounts import Account


def read_accounts(file: Path) -> list[Account]:
    if not file.exists():
        return []
    return TypeAdapter(list[Account]).validate_json(file.read_bytes())


def write_accounts(file: Path, accounts: list[Account]) -> None:
    """Replaces the file at once, so that a reader, or the next run, finds it whole."""
    content = TypeAdapter(list[Account]).dump_json(accounts, indent=2)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as unfinished:
        unfinished.write(content)
    Path(unfinished.name).replace(file)
