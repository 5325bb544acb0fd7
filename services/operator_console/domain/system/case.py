"""What is seen of everything, for its rules."""

from dataclasses import dataclass

from services.operator_console.domain.commands import Commands
from services.operator_console.domain.findings import Circumstances
from tollgate.operator_console.v1 import overview_pb2

Overview = overview_pb2.Overview


@dataclass(frozen=True, slots=True)
class SystemCase:
    """How everything stands; what a service did not answer is unset."""

    overview: Overview
    circumstances: Circumstances

    @property
    def commands(self) -> Commands:
        """What a person can paste."""
        return self.circumstances.commands
