"""On what the figures were measured."""

import os
import platform
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader must know to compare figures; the load is what others ran before the first."""

    system: str
    cores: int
    python: str
    postgres: str
    load_before: float


def this_machine(postgres_version: str, load_before: float) -> Machine:
    return Machine(
        system=platform.platform(),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        postgres=postgres_version,
        load_before=load_before,
    )
