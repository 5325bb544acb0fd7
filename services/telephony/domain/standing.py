"""How a subaccount stands at some time, whether or not that is written down yet."""

from datetime import datetime

from services.telephony.domain.decision import blockers
from services.telephony.domain.reconciling import want
from services.telephony.domain.values import Organization, Standing, Subaccount, WantedState


def standing_at(subaccount: Subaccount, organization: Organization, now: datetime) -> Standing:
    """Return the subaccount as it is wanted now, also if time alone has just changed that."""
    time = organization.reevaluate_time
    if time is not None and time <= now and subaccount.wanted is not WantedState.SUSPENDED:
        subaccount = want(subaccount, WantedState.SUSPENDED, time)
    return Standing(subaccount, blockers(organization, now), organization.operator_block)
