"""Rules about the organization's subaccounts at Twilio."""

from collections.abc import Iterable, Iterator
from typing import Final

from services.operator_console.domain.findings import (
    BLOCKING,
    CRITICAL,
    WARNING,
    Finding,
    age_seconds,
    name_of,
    why_note,
)
from services.operator_console.domain.organization.case import OrganizationCase
from services.operator_console.domain.twilio import twilio_finding
from tollgate.telephony.v1 import subaccount_pb2

# What is being driven right now, and was not refused, is no drift.
DRIVEN_SECONDS_MAX: Final = 10.0


def twilio_trouble(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that Twilio as a whole cannot be used."""
    found = twilio_finding(case.circumstances, case.seen.twilio)
    if found is not None:
        yield found


def _drifted(case: OrganizationCase, wanted: int) -> Iterable[subaccount_pb2.Subaccount]:
    return (
        each
        for each in case.seen.subaccounts
        if each.drifted
        and each.wanted == wanted
        and (
            each.last_error
            or age_seconds(each.drift_time, case.circumstances.now) > DRIVEN_SECONDS_MAX
        )
    )


def _has_none_to_send_by(case: OrganizationCase) -> bool:
    return subaccount_pb2.BLOCKER_SUBACCOUNT_MISSING in case.seen.sending.blockers


def _observed_name(subaccount: subaccount_pb2.Subaccount) -> str:
    return name_of(subaccount_pb2.ObservedState, subaccount.observed).removeprefix(
        "OBSERVED_STATE_"
    )


def _reconcile(case: OrganizationCase, code: str) -> str:
    return case.commands.call(
        "telephony",
        "ReconcileSubaccounts",
        organization_id=case.organization_id,
        note=why_note(code),
    )


def unsuspended_subaccounts(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of subaccounts that may cost money although they must be suspended."""
    for each in _drifted(case, subaccount_pb2.WANTED_STATE_SUSPENDED):
        code = "SUBACCOUNT_UNSUSPENDED"
        yield Finding(
            severity=CRITICAL,
            code=code,
            what=f"{each.account_sid} must be suspended and is {_observed_name(each)} at Twilio",
            why=f"It can send at the platform's cost. Last error: {each.last_error or 'none'}.",
            by_itself="Tollgate goes on trying, more and more seldom.",
            next_step=_reconcile(case, code),
            since_time=each.drift_time,
        )


def drifted_subaccounts(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of subaccounts that should be able to send, and are not."""
    for each in _drifted(case, subaccount_pb2.WANTED_STATE_ACTIVE):
        code = "SUBACCOUNT_DRIFTED"
        yield Finding(
            severity=BLOCKING,
            code=code,
            what=f"{each.account_sid} should be active and is {_observed_name(each)} at Twilio",
            why=f"Last error: {each.last_error}."
            if each.last_error
            else "Somebody may have suspended it in Twilio's console.",
            by_itself="Tollgate goes on trying, more and more seldom.",
            next_step=_reconcile(case, code),
            since_time=each.drift_time,
        )


def operator_block(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a suspension that an operator asked for."""
    if case.seen.sending.HasField("operator_block"):
        block = case.seen.sending.operator_block
        code = "SUBACCOUNTS_BLOCKED"
        yield Finding(
            severity=BLOCKING,
            code=code,
            what=f"{block.actor or 'somebody'} suspended its subaccounts: "
            f"{block.note or 'no note'}",
            why="They stay suspended until a person lifts it. Ask who set it before you do.",
            next_step=case.commands.call(
                "telephony",
                "ReactivateSubaccounts",
                organization_id=case.organization_id,
                note=why_note(code),
            ),
            since_time=block.create_time,
        )


def closed_subaccounts(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of subaccounts that are gone."""
    is_last_one = _has_none_to_send_by(case)
    for each in case.seen.subaccounts:
        if each.observed == subaccount_pb2.OBSERVED_STATE_CLOSED:
            code = "SUBACCOUNT_CLOSED"
            yield Finding(
                severity=BLOCKING if is_last_one else WARNING,
                code=code,
                what=f"{each.account_sid} is closed at Twilio",
                why="That is for ever. The platform registers or provisions another one. If "
                "Twilio has undone it, ask Twilio again.",
                next_step=_reconcile(case, code),
                since_time=each.observe_time,
            )


def missing_subaccounts(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that there is nothing to send by."""
    if _has_none_to_send_by(case):
        yield Finding(
            severity=BLOCKING,
            code="SUBACCOUNT_MISSING",
            what=f"{case.organization_id} has no subaccount that is open at Twilio",
            why="The platform registers one (RegisterSubaccount) or has one made "
            "(ProvisionSubaccount).",
            by_itself="One that was asked for is made once Twilio answers.",
            next_step=case.commands.call(
                "telephony", "ListProvisions", organization_id=case.organization_id
            ),
        )


def failing_aftermath(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of what still goes on in a subaccount that is suspended."""
    for each in case.seen.subaccounts:
        if each.aftermath.HasField("failing_time"):
            yield Finding(
                severity=WARNING,
                code="AFTERMATH_FAILING",
                what=f"calls of the suspended {each.account_sid} cannot be ended: "
                f"{each.aftermath.last_error}",
                why="What goes on since before the suspension may still cost money.",
                by_itself="Tollgate goes on trying, at next_look_time of its aftermath.",
                next_step=case.commands.call(
                    "telephony", "GetSubaccount", account_sid=each.account_sid
                ),
                since_time=each.aftermath.failing_time,
            )
