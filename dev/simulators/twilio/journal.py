"""What a simulated Twilio remembers between its runs, one line for each change.

A change costs the same however many accounts there are, and is kept before anybody hears of it.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from dev.simulators.twilio.accounts import Account
from dev.simulators.twilio.calls import Call
from dev.simulators.twilio.messages import Message

Record = Account | Message | Call

RECORD: TypeAdapter[Record] = TypeAdapter(Record)


class Journal:
    """One file, if one is given; without, every run begins anew."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def read(self) -> list[Record]:
        """Returns each thing as it is now; those that are older come first."""
        if self._path is None or not self._path.exists():
            return []
        records = map(RECORD.validate_json, self._path.read_bytes().splitlines())
        return list({record.sid: record for record in records}.values())

    def keep(self, record: Record) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(
                os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb", 0
            )
        self._file.write(RECORD.dump_json(record) + b"\n")

    def replace(self, records: Iterable[Record]) -> None:
        """Keeps these and nothing else."""
        if self._path is None:
            return
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as unfinished:
            unfinished.writelines(RECORD.dump_json(record) + b"\n" for record in records)
        Path(unfinished.name).replace(self._path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
