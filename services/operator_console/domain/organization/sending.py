"""Whether a message would be paid for and sent now, as far as is seen."""

from services.operator_console.domain.commands import SERVICES
from services.operator_console.domain.organization.case import OrganizationCase


def can_send(case: OrganizationCase) -> bool:
    """Tell whether everybody says yes; who does not answer says no."""
    seen = case.seen
    return (
        all(map(case.has_answered, SERVICES))
        and seen.HasField("wallet")
        and not seen.wallet.frozen
        and seen.wallet.available_micros > 0
        and seen.eligibility.eligible
        and not seen.emergency_stop.active
        and seen.HasField("sending")
        and not seen.sending.blockers
        and seen.level.good_standing
    )
