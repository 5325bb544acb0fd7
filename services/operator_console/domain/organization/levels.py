"""Rules about what passes between services."""

from collections.abc import Iterator
from typing import Final

from services.operator_console.domain.findings import BLOCKING, Finding, age_seconds, span
from services.operator_console.domain.organization.case import OrganizationCase

# An observer that is well has taken a level in a second.
TAKEN_SECONDS_MAX: Final = 10.0


def announcer_of(level: str) -> str:
    """Return the service that tells a kind of level."""
    return "wallet" if level == "wallet" else "billing_gateway"


def pending_announcements(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of levels that an observer has not acknowledged, and so acts on what was."""
    for each in case.seen.announcements:
        if not each.HasField("pending_since_time"):
            continue
        age = age_seconds(each.pending_since_time, case.circumstances.now)
        if age <= TAKEN_SECONDS_MAX:
            continue
        what = f"{each.level} level {each.key}".strip()
        yield Finding(
            severity=BLOCKING,
            code="ANNOUNCEMENT_PENDING",
            what=f"{each.observer} has not acknowledged the {what} for {span(age)}: revision "
            f"{each.revision}, it holds {each.acknowledged_revision}",
            why=f"It acts on what was before. Last error: {each.last_error or 'none'}.",
            by_itself="It is told again and again, until it acknowledges.",
            next_step=case.commands.call(
                announcer_of(each.level),
                "ListAnnouncements",
                organization_id=case.organization_id,
            ),
            since_time=each.pending_since_time,
        )
