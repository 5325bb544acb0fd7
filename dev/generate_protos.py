"""Generates protos/gen from protos/: `python -m dev.generate_protos [--check]`."""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent.parent / "protos"
GENERATED = PROTOS / "gen"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if out of date")
    arguments = parser.parse_args()
    # Beside the old folder, so that one rename puts the new one in its place.
    with tempfile.TemporaryDirectory(dir=PROTOS, prefix=".gen-") as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        generate(fresh)
        if arguments.check:
            demand_equal(GENERATED, fresh)
        else:
            replace(GENERATED, fresh, old=Path(scratch, "old"))


def generate(target: Path) -> None:
    protos = all_protos()
    services = [proto for proto in protos if proto.endswith("_service.proto")]
    run_protoc(protos, f"--python_out={target}", f"--mypy_out=quiet:{target}")
    run_protoc(
        services, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet,only_async:{target}"
    )


def all_protos() -> list[str]:
    """Tollgate's own, as protoc names them."""
    return [str(path.relative_to(PROTOS)) for path in sorted(PROTOS.glob("tollgate/**/*.proto"))]


def run_protoc(protos: list[str], *outputs: str) -> None:
    scripts = Path(sysconfig.get_path("scripts"))
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        *(f"--plugin={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
        f"--proto_path={PROTOS}",
    ]
    subprocess.run([*command, *outputs, *protos], check=True)


def replace(target: Path, fresh: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    fresh.rename(target)


def demand_equal(committed: Path, fresh: Path) -> None:
    stale = sorted(set(contents(committed).items()) ^ set(contents(fresh).items()))
    if stale:
        names = "\n".join(sorted({f"  {name}" for name, _ in stale}))
        sys.exit(f"protos/gen is not what protos/ generates; run `make protos`:\n{names}")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*.py*") if path.suffix in {".py", ".pyi"})
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


if __name__ == "__main__":
    main()
