"""Clients install the stubs alone."""

import subprocess
import tomllib
from pathlib import Path

from tests.support.stubs import PACKAGE

IMPORT_ALL = """
import importlib.util, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(importlib.util.find_spec("libs") or importlib.util.find_spec("services"))
print({module.__file__.partition("site-packages")[2] == "" for name, module in sys.modules.items()
    if name.startswith("tollgate.") and module.__file__})
"""


def test_everything_imports_where_nothing_else_is_installed(stubs_python: Path) -> None:
    generated = PACKAGE / "gen"
    files = (path.relative_to(generated) for path in generated.rglob("*_pb2*.py"))
    modules = sorted(str(path.with_suffix("")).replace("/", ".") for path in files)
    printed = subprocess.check_output(  # noqa: S603
        [str(stubs_python), "-I", "-c", IMPORT_ALL, *modules], text=True
    )
    assert printed.splitlines() == ["None", "{False}"]


def test_they_are_of_tollgates_version() -> None:
    own, all_of_it = (
        tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        for folder in (PACKAGE, PACKAGE.parent)
    )
    assert own["version"] == all_of_it["version"]
    assert own["requires-python"] == all_of_it["requires-python"]
