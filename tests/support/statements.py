"""All SQL that a service sends, found where it stands: nobody keeps a list of it."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# And not what PostgreSQL says it has done, such as UPDATE 1.
IS_STATEMENT = re.compile(
    r"\s*(?:CALL|DELETE|INSERT|LOCK|MERGE|SELECT|TRUNCATE|UPDATE|WITH)\s+(?!\d+(?: \d+)?$)"
)
# What a template is filled with only narrows what it finds.
PLACE = re.compile(r"\{\w+\}")


def statements_of(service: str) -> dict[str, str]:
    """Return the statements of a service and of the libraries it uses, by where they stand."""
    return {
        f"{module}.{name}": PLACE.sub("", value)
        for module in sorted(modules_of(service))
        if module.startswith(("libs.", f"services.{service}.storage."))
        for name, value in vars(importlib.import_module(module)).items()
        if name.isupper() and isinstance(value, str) and IS_STATEMENT.match(value)
    }


def statements_within_functions(path: Path) -> list[str]:
    """Return the statements of a file that are no constants of it, and so are not found."""
    tree = ast.parse(path.read_text())
    constants = {
        id(part) for node in tree.body if isinstance(node, ast.Assign) for part in ast.walk(node)
    }
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if IS_STATEMENT.match(node.value) and id(node) not in constants
    ]


def modules_of(service: str) -> set[str]:
    """Return all modules of a service, and what they import from here, near or far."""
    folder = ROOT / "services" / service
    new = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in folder.rglob("*.py")}
    found = set[str]()
    while new:
        found |= new
        new = {each for module in new for each in imports_of(module)} - found
    return found


def imports_of(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(file_of(module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (node.module, *(f"{node.module}.{each.name}" for each in node.names)):
                if name.startswith(("libs.", "services.")) and file_of(name).is_file():
                    yield name


def file_of(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")
