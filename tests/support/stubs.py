"""The package of stubs, built and installed where nothing else is, without any index."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

PACKAGE = Path(__file__).parents[2] / "protos"
UV = Path(sys.executable).parent / "uv"


def install_stubs(folder: Path) -> Path:
    """Return a Python that has the stubs and what they say they need."""
    uv("build", "--wheel", str(PACKAGE), "--out-dir", str(folder))
    [wheel] = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    uv("venv", "--python", sys.executable, str(folder / "venv"))
    uv("pip", "install", "--no-index", "--no-deps", "--python", str(python), str(wheel))
    [site_packages] = (folder / "venv" / "lib").glob("*/site-packages")
    [stubs] = Distribution.discover(name="tollgate-protos", path=[str(site_packages)])
    for needed in set(_needed_by(stubs.requires or [])):
        _link(distribution(needed), site_packages)
    uv("pip", "check", "--python", str(python))
    return python


def uv(*arguments: str) -> None:
    """Run uv, which may not ask the network."""
    command = [str(UV), "--offline", "--no-config", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr


def _needed_by(requirements: list[str]) -> Iterator[str]:
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name
            yield from _needed_by(requires(requirement.name) or [])


def _link(installed: Distribution, site_packages: Path) -> None:
    """Let a package that is installed here be installed there, too."""
    for name in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
        here, there = Path(str(installed.locate_file(name))), site_packages / name
        if name.endswith(".dist-info"):
            # What is linked, uv takes for no package.
            shutil.copytree(here, there)
        elif not there.exists():
            there.symlink_to(here)
