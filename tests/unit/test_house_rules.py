"""Rules of the house that no linter knows. Each test lists the places that break its rule."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.migrations import READER_GRANTS

ROOT = Path(__file__).parents[2]
FUNCTION_LINES_MAX = 70

ROOMS_OF_EVERY_SERVICE = {
    "__init__",
    "__main__",
    "app",
    "config",
    "domain",
    "migrations",
    "operations",
    "servicer",
    "storage",
    "workers",
}
# What owns nothing stores nothing, and has nothing to do by itself.
ROOMS_NOT_IN = {"operator_console": {"migrations", "storage", "workers"}}
# A service without one of these does not do that.
ROOMS_OF_SOME = {"clients", "ports"}
ROOMS_OF_ONE = {
    "billing_gateway": {"bodies", "paypal", "provider_calls", "reading", "stripe", "webhooks"},
    "telephony": {"twilio_accounts"},
}

WHERE_PACKAGES_COME_FROM = re.compile(r"://|--(?:extra-)?index-url|--find-links")
PATH_OUTSIDE = re.compile(r"(?<![\w.-])/(work)/|\.\./shared\b|[\"']shared/")


def python_files(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def kept_files() -> Iterator[tuple[Path, str]]:
    """What is in git or would be with the next commit."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        if path.is_file():
            yield path, path.read_text(errors="replace")


def lines_matching(pattern: re.Pattern[str], path: Path, text: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_function_is_long() -> None:
    long_functions = [
        f"{place(path, node)} {node.name}"
        for path, module in python_files("services", "libs", "preflight", "dev", "tests")
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not long_functions, long_functions


def test_imports_are_absolute() -> None:
    relative_imports = [
        place(path, node)
        for path, module in python_files("services", "libs", "preflight", "dev", "tests")
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative_imports, relative_imports


@pytest.mark.parametrize(
    "service", ["billing_gateway", "campaign", "operator_console", "telephony", "wallet"]
)
def test_every_service_has_the_same_rooms(service: str) -> None:
    folder = ROOT / "services" / service
    rooms = {path.stem for path in folder.iterdir() if path.name != "__pycache__"}
    missing = ROOMS_OF_EVERY_SERVICE - rooms - ROOMS_NOT_IN.get(service, set())
    unknown = rooms - ROOMS_OF_EVERY_SERVICE - ROOMS_OF_SOME - ROOMS_OF_ONE.get(service, set())
    assert not missing, missing
    assert not unknown, unknown


def test_the_domain_is_told_the_time() -> None:
    clocks = [
        place(path, node)
        for path, module in python_files("services")
        if "domain" in (path.stem, path.parent.name)
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}
    ]
    assert not clocks, clocks


def test_a_change_must_pass_the_long_tests_too() -> None:
    recipes = dict(
        re.findall(
            r"^(test|check): .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
        )
    )
    assert '-m "not long"' in recipes["test"]
    assert "$(PYTEST)\n" in recipes["check"]


def test_no_test_sleeps() -> None:
    """A sleep of zero is none: it lets other tasks run."""
    sleeps = [
        place(path, node)
        for path, module in python_files("tests")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and names_sleep(node.func)
        if [ast.unparse(argument) for argument in node.args] != ["0"]
    ]
    assert not sleeps, sleeps


def names_sleep(function: ast.expr) -> bool:
    match function:
        case ast.Name(id="sleep") | ast.Attribute(attr="sleep"):
            return True
        case _:
            return False


@pytest.mark.parametrize(
    "folder", sorted(ROOT.glob("services/*/migrations")), ids=lambda it: it.parent.name
)
def test_migrations_are_numbered_one_after_the_other(folder: Path) -> None:
    names = sorted(path.name for path in folder.glob("*.sql") if path.name != READER_GRANTS)
    numbers = [int(name.partition("_")[0]) for name in names]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_lock_names_where_packages_come_from() -> None:
    """That is a matter of the machine that installs them."""
    mentions = [
        line
        for path, text in kept_files()
        if path.suffix == ".lock"
        for line in lines_matching(WHERE_PACKAGES_COME_FROM, path, text)
    ]
    assert not mentions, mentions


def test_nothing_needs_a_path_outside_of_the_checkout() -> None:
    mentions = [
        line
        for path, text in kept_files()
        if path.suffix != ".md"
        for line in lines_matching(PATH_OUTSIDE, path, text)
    ]
    assert not mentions, mentions
