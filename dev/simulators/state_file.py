"""What a simulator remembers, in a file between its runs."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import TypeAdapter

StateT = TypeVar("StateT")


class StateFile(Generic[StateT]):
    """One file, if one is given; without, every run begins anew."""

    def __init__(self, path: Path | None, kind: type[StateT]) -> None:
        """`kind()` is what a simulator knows that has no file yet."""
        self._path = path
        self._kind = kind
        self._adapter = TypeAdapter(kind)
        self._written = b""

    def read(self) -> StateT:
        if self._path is None or not self._path.exists():
            return self._kind()
        return self._adapter.validate_json(self._path.read_bytes())

    def write(self, state: StateT) -> None:
        """Replace the file at once, so that a reader, or the next run, finds it whole."""
        if self._path is None:
            return
        content = self._adapter.dump_json(state, indent=2)
        if content == self._written:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as unfinished:
            unfinished.write(content)
        Path(unfinished.name).replace(self._path)
        self._written = content

    def after_each_request(self, state: Callable[[], StateT]) -> Middleware:
        """Write what a request has changed before anybody hears of it: what is told is kept."""

        @web.middleware
        async def write_after(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            finally:
                self.write(state())

        return write_after
