"""What is seen of one organization, for its rules."""

from dataclasses import dataclass

from services.operator_console.domain.commands import Commands
from services.operator_console.domain.findings import Circumstances, Silence
from tollgate.operator_console.v1 import diagnosis_pb2

Seen = diagnosis_pb2.Seen


@dataclass(frozen=True, slots=True)
class OrganizationCase:
    """An organization as all services see it; what one of them did not answer is unset."""

    organization_id: str
    seen: Seen
    circumstances: Circumstances

    @property
    def commands(self) -> Commands:
        """What a person can paste."""
        return self.circumstances.commands

    def has_answered(self, service: str) -> bool:
        """Tell whether what is unset does not exist, rather than was not heard of."""
        unanswered = self.circumstances.unanswered.get(service)
        return unanswered is None or unanswered.silence is Silence.SET_UP_OUTDATED
