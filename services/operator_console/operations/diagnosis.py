"""What is wrong with one organization."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.operator_console.clients.organizations import OrganizationsClient
from services.operator_console.domain.commands import Commands
from services.operator_console.domain.findings import Circumstances, Finding, conclude
from services.operator_console.domain.organization import RULES
from services.operator_console.domain.organization.case import OrganizationCase, Seen
from services.operator_console.domain.organization.events import more_of_its_own
from services.operator_console.domain.organization.sending import can_send
from services.operator_console.domain.timeline import TimelineEntry, to_timeline


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is concluded, and from what."""

    can_send: bool
    findings: list[Finding]
    seen: Seen
    timeline: list[TimelineEntry]


class DiagnosisOperations:
    """Diagnoses organizations."""

    def __init__(
        self, client: OrganizationsClient, commands: Commands, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._commands = commands
        self._now = now

    async def diagnose(self, organization_id: str) -> Diagnosis:
        """Look at an organization through all services, and conclude."""
        look = await self._client.look(organization_id)
        more = more_of_its_own(organization_id, look.seen, look.unsettled)
        look.seen.events.extend(more)
        look.histories.events.extend(more)
        circumstances = Circumstances(self._now(), look.unanswered, self._commands)
        case = OrganizationCase(organization_id, look.seen, circumstances)
        return Diagnosis(
            can_send(case), conclude(RULES, case), look.seen, to_timeline(look.histories)
        )
