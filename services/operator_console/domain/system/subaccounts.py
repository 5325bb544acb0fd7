"""Rules about all subaccounts."""

from collections.abc import Callable, Iterator
from typing import Final

from services.operator_console.domain.findings import (
    CRITICAL,
    WARNING,
    Finding,
    Rule,
    age_seconds,
    span,
)
from services.operator_console.domain.system.case import SystemCase
from services.operator_console.domain.twilio import twilio_finding
from tollgate.telephony.v1 import overview_pb2

# A suspension is urgent, and done in seconds; all else may wait for Twilio a little.
URGENT_SECONDS: Final = 60.0
LATE_SECONDS: Final = 900.0


def twilio_trouble(case: SystemCase) -> Iterator[Finding]:
    """Tell that Twilio as a whole cannot be used."""
    found = twilio_finding(case.circumstances, case.overview.telephony.twilio)
    if found is not None:
        yield found


def unsuspended_subaccounts(case: SystemCase) -> Iterator[Finding]:
    """Tell of subaccounts that may cost money although they must be suspended."""
    standing = case.overview.telephony.unsuspended
    age = age_seconds(standing.oldest_time, case.circumstances.now)
    if standing.count and age > URGENT_SECONDS:
        yield Finding(
            severity=CRITICAL,
            code="SUBACCOUNT_UNSUSPENDED",
            what=f"{standing.count} subaccounts must be suspended and are not, one of "
            f"{standing.oldest_organization_id} for {span(age)}",
            why="They can send at the platform's cost.",
            by_itself="Tollgate goes on trying, more and more seldom.",
            next_step=case.commands.call(
                "telephony",
                "ListSubaccounts",
                wanted="WANTED_STATE_SUSPENDED",
                drifted=True,
            ),
            since_time=standing.oldest_time,
        )


Standing = Callable[[overview_pb2.TelephonyOverview], overview_pb2.StandingCount]


def late(
    code: str, what: str, standing_of: Standing, method: str, **asked: object
) -> Rule[SystemCase]:
    """Return the rule that tells of what has been so for too long."""

    def rule(case: SystemCase) -> Iterator[Finding]:
        standing = standing_of(case.overview.telephony)
        age = age_seconds(standing.oldest_time, case.circumstances.now)
        if standing.count and age > LATE_SECONDS:
            yield Finding(
                severity=WARNING,
                code=code,
                what=f"{standing.count} {what}, one of "
                f"{standing.oldest_organization_id or 'nobody'} for {span(age)}",
                why="Its last_error says what a person can do about it.",
                by_itself="Tollgate goes on trying, more and more seldom.",
                next_step=case.commands.call("telephony", method, **asked),
                since_time=standing.oldest_time,
            )

    return rule


drifted_subaccounts = late(
    "SUBACCOUNT_DRIFTED",
    "subaccounts are not as wanted",
    lambda overview: overview.drifted,
    "ListSubaccounts",
    drifted=True,
)
failing_subaccounts = late(
    "SUBACCOUNT_FAILING",
    "subaccounts have calls to Twilio that fail",
    lambda overview: overview.failing,
    "ListSubaccounts",
    failing=True,
)
failing_aftermath = late(
    "AFTERMATH_FAILING",
    "suspended subaccounts have calls that cannot be ended",
    lambda overview: overview.aftermath_failing,
    "ListSubaccounts",
    wanted="WANTED_STATE_SUSPENDED",
)
failing_provisions = late(
    "PROVISION_FAILING",
    "subaccounts that were asked for cannot be made",
    lambda overview: overview.failing_provisions,
    "ListProvisions",
    failing=True,
)
