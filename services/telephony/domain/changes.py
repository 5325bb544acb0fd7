"""What became of a subaccount, and why: the lines of its history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from services.telephony.domain.commands import (
    Command,
    LiftOperatorBlock,
    ObserveSubscription,
    ObserveWallet,
    Reevaluate,
    SetOperatorBlock,
)
from services.telephony.domain.decision import wanted_state
from services.telephony.domain.values import (
    ObservedState,
    Organization,
    Subaccount,
    SuspensionPolicy,
    WantedState,
)

# What is told of an aftermath that has only begun.
NOTHING_FOLLOWED = (None, (0, 0))


class ChangeCause(StrEnum):
    """Why a subaccount is wanted otherwise, or stands otherwise."""

    REGISTERED = "REGISTERED"
    PROVISIONED = "PROVISIONED"
    SUBSCRIPTION = "SUBSCRIPTION"
    WALLET = "WALLET"
    OPERATOR = "OPERATOR"
    TIME = "TIME"
    TWILIO = "TWILIO"
    DRIFT = "DRIFT"
    AFTERMATH = "AFTERMATH"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and if a person did it, who and with which words."""

    cause: ChangeCause
    actor: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SubaccountChange:
    """One line of the history. Its sequence is the database's, 0 until it is written."""

    organization_id: str
    account_sid: str
    wanted_from: WantedState | None
    wanted_to: WantedState | None
    observed_from: ObservedState
    observed_to: ObservedState
    reason: Reason
    error: str
    create_time: datetime
    # Since the suspension.
    ended_call_count: int = 0
    canceled_message_count: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which lines; what is unset does not restrict."""

    organization_id: str = ""
    account_sid: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None


def registration(subaccount: Subaccount, reason: Reason) -> SubaccountChange:
    """Return the first line of a subaccount."""
    return SubaccountChange(
        organization_id=subaccount.organization_id,
        account_sid=subaccount.account_sid,
        wanted_from=None,
        wanted_to=subaccount.wanted,
        observed_from=ObservedState.UNKNOWN,
        observed_to=subaccount.told,
        reason=reason,
        error="",
        create_time=subaccount.create_time,
    )


def change_between(
    before: Subaccount, after: Subaccount, reason: Reason, now: datetime
) -> SubaccountChange | None:
    """Return the line to write; None if nothing happened that anybody would ask about.

    Of calls that go on failing only the first is told.
    """
    if _history_of(before) == _history_of(after):
        return None
    return _line(before, after, reason, now)


def remark(subaccount: Subaccount, reason: Reason, now: datetime) -> SubaccountChange:
    """Return the line of a person's word that has changed nothing of the subaccount."""
    return _line(subaccount, subaccount, reason, now)


def _line(before: Subaccount, after: Subaccount, reason: Reason, now: datetime) -> SubaccountChange:
    aftermath = after.aftermath
    return SubaccountChange(
        organization_id=after.organization_id,
        account_sid=after.account_sid,
        wanted_from=before.wanted,
        wanted_to=after.wanted,
        observed_from=before.told,
        observed_to=after.told,
        reason=reason,
        error=after.last_error or (aftermath.last_error if aftermath else ""),
        create_time=now,
        ended_call_count=aftermath.ended_call_count if aftermath else 0,
        canceled_message_count=aftermath.canceled_message_count if aftermath else 0,
    )


def _history_of(subaccount: Subaccount) -> tuple[object, ...]:
    aftermath = subaccount.aftermath
    followed = aftermath.told if aftermath else NOTHING_FOLLOWED
    return subaccount.wanted, subaccount.told, subaccount.failing_time, followed


def operators_word(command: Command, before: Organization, after: Organization) -> Reason | None:
    """Return whose word a command was, if it has set or lifted the operator's block."""
    if not isinstance(command, SetOperatorBlock | LiftOperatorBlock):
        return None
    if before.operator_block == after.operator_block:
        return None
    return Reason(ChangeCause.OPERATOR, command.actor, command.note)


def reason_of(
    command: Command,
    before: Organization,
    after: Organization,
    policy: SuspensionPolicy,
    now: datetime,
) -> Reason:
    """Return why subaccounts are wanted otherwise since a command."""
    if wanted_state(before, policy, now) is wanted_state(after, policy, now):
        # It was so before the command, and had not been written down yet.
        return Reason(ChangeCause.TIME)
    match command:
        case ObserveSubscription():
            return Reason(ChangeCause.SUBSCRIPTION)
        case ObserveWallet():
            return Reason(ChangeCause.WALLET)
        case SetOperatorBlock() | LiftOperatorBlock():
            return Reason(ChangeCause.OPERATOR, command.actor, command.note)
        case Reevaluate():
            return Reason(ChangeCause.TIME)
        case _:
            assert_never(command)
