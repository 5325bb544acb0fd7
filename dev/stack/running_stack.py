"""What runs and where, in a file for whoever wants to talk to it, such as `make demo`."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

FILE_NAME = "stack.json"


@dataclass(frozen=True)
class RunningStack:
    """Where each thing is reached, and its process. No secret: others may read the file."""

    grpc_addresses: dict[str, str]
    certificates_directory: Path
    webhooks_url: str
    # By provider; one that is not simulated is not there.
    simulator_urls: dict[str, str]
    process_ids: dict[str, int]


def write_running_stack(data_directory: Path, running: RunningStack) -> None:
    """Replaces the file at once, so that a reader finds it whole."""
    unfinished = data_directory / f"{FILE_NAME}.unfinished"
    unfinished.write_bytes(TypeAdapter(RunningStack).dump_json(running, indent=2))
    unfinished.rename(data_directory / FILE_NAME)


def read_running_stack(data_directory: Path) -> RunningStack | None:
    """None if nothing runs."""
    try:
        content = (data_directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    return TypeAdapter(RunningStack).validate_json(content)


def forget_running_stack(data_directory: Path) -> None:
    (data_directory / FILE_NAME).unlink(missing_ok=True)
