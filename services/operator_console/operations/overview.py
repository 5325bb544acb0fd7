"""What is wrong anywhere."""

from collections.abc import Callable
from datetime import datetime

from services.operator_console.clients.system import SystemClient
from services.operator_console.domain.commands import Commands
from services.operator_console.domain.findings import Circumstances, Finding, conclude
from services.operator_console.domain.system import RULES
from services.operator_console.domain.system.case import Overview, SystemCase


class OverviewOperations:
    """Looks over everything."""

    def __init__(
        self, client: SystemClient, commands: Commands, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._commands = commands
        self._now = now

    async def look(self) -> tuple[list[Finding], Overview]:
        """Return which of the alerts' conditions hold, and what they are concluded from."""
        overview, unanswered = await self._client.look()
        circumstances = Circumstances(self._now(), unanswered, self._commands)
        return conclude(RULES, SystemCase(overview, circumstances)), overview
