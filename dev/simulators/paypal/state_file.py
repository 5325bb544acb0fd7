"""The account's books in a file, between runs."""

import tempfile
from pathlib import Path

from pydantic import TypeAdapter

from dev.simulators.paypal.account import Books

BOOKS = TypeAdapter(Books)


def read_books(file: Path | None) -> Books:
    if file is None or not file.exists():
        return Books()
    return BOOKS.validate_json(file.read_bytes())


def write_books(file: Path | None, books: Books) -> None:
    """Replaces the file at once, so that a reader, or the next run, finds it whole."""
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as unfinished:
        unfinished.write(BOOKS.dump_json(books, indent=2))
    Path(unfinished.name).replace(file)
