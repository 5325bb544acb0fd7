"""How a subaccount stands at some time, whether or not that is written down yet."""

from datetime import datetime

from services.telephony.domain.decision import blockers, wanted_state
from services.telephony.domain.reconciling import want
from services.telephony.domain.values import Organization, Standing, Subaccount


def standing_at(subaccount: Subaccount, organization: Organization, now: datetime) -> Standing:
    """Return the subaccount as it is wanted now, also if time alone has just changed that."""
    wanted = wanted_state(organization, now)
    if wanted is not subaccount.wanted:
        subaccount = want(subaccount, wanted, organization.reevaluate_time or now)
    return Standing(subaccount, blockers(organization, now))
