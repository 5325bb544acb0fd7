"""The one write path of organizations: lock, decide, and want what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.telephony.domain.changes import (
    ChangeCause,
    Reason,
    change_between,
    operators_word,
    reason_of,
    remark,
)
from services.telephony.domain.commands import Command
from services.telephony.domain.decision import decide, wanted_state
from services.telephony.domain.reconciling import want
from services.telephony.domain.values import Organization, Subaccount, SuspensionPolicy
from services.telephony.storage import changes, organizations, subaccounts
from services.telephony.storage.organizations import OrganizationRow


@dataclass(frozen=True, slots=True)
class Settlement:
    """An organization after a command, and why its subaccounts may be wanted otherwise since.

    `change_time` is when they came to be, for a lapse that is found late the time of the lapse.
    `word` is a person's that has set or lifted the operator's block.
    """

    organization: Organization
    reason: Reason
    word: Reason | None
    now: datetime
    change_time: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A subaccount before and after something happened to it, and why it did."""

    before: Subaccount
    after: Subaccount
    reason: Reason
    now: datetime


async def settle(
    connection: Connection, organization_id: str, command: Command, policy: SuspensionPolicy
) -> tuple[Settlement, int]:
    """Lock an organization, and carry out a command and what follows from it.

    Return also how many subaccounts are wanted otherwise since.
    """
    row = await organizations.lock(connection, organization_id)
    if row is None:
        await organizations.make(connection, organization_id)
        row = await organizations.lock(connection, organization_id)
        assert row is not None
    settlements, steps = await settle_locked(connection, [row], command, policy)
    settlement = settlements[organization_id]
    if settlement.word:
        await append_action(connection, _act_of(settlement.organization, settlement.word))
        await _pass_on(connection, settlement, settlement.word, steps)
    return settlement, len(steps)


async def settle_locked(
    connection: Connection,
    rows: Sequence[OrganizationRow],
    command: Command,
    policy: SuspensionPolicy,
) -> tuple[dict[str, Settlement], list[Step]]:
    """Do so with organizations that are locked, and return what is wanted otherwise since."""
    settlements = {}
    for row in rows:
        organization = decide(row.organization, command, policy, row.now)
        if organization != row.organization:
            await organizations.save(connection, organization)
        reason = reason_of(command, row.organization, organization, policy, row.now)
        settlements[organization.organization_id] = Settlement(
            organization,
            reason,
            operators_word(command, row.organization, organization),
            row.now,
            _change_time(row, reason),
        )
    return settlements, await _want_what_follows(connection, settlements, policy)


def _change_time(row: OrganizationRow, reason: Reason) -> datetime:
    lapse_time = row.organization.reevaluate_time
    if reason.cause is ChangeCause.TIME and lapse_time is not None:
        return min(lapse_time, row.now)
    return row.now


async def _want_what_follows(
    connection: Connection, settlements: dict[str, Settlement], policy: SuspensionPolicy
) -> list[Step]:
    wishes = {
        organization_id: wanted_state(settlement.organization, policy, settlement.now)
        for organization_id, settlement in settlements.items()
    }
    steps = []
    for subaccount in await subaccounts.list_wanted_otherwise(connection, wishes):
        wanted = wishes[subaccount.organization_id]
        settlement = settlements[subaccount.organization_id]
        after = want(subaccount, wanted, settlement.change_time)
        steps.append(Step(subaccount, after, settlement.reason, settlement.change_time))
    await write(connection, steps)
    return steps


def _act_of(organization: Organization, word: Reason) -> Act:
    """Return what a person does; an organization without subaccounts has no other history."""
    is_set = organization.operator_block is not None
    action = "SuspendSubaccounts" if is_set else "ReactivateSubaccounts"
    return Act(action, word.actor, word.note, organization.organization_id)


async def _pass_on(
    connection: Connection, settlement: Settlement, word: Reason, steps: Sequence[Step]
) -> None:
    """Write a person's word down at those subaccounts, too, that are wanted as before."""
    told = {step.after.account_sid for step in steps if step.reason == word}
    found = await subaccounts.list_of(connection, settlement.organization.organization_id)
    lines = [remark(each, word, settlement.now) for each in found if each.account_sid not in told]
    if lines:
        await changes.append(connection, lines)


async def write(connection: Connection, steps: Sequence[Step]) -> None:
    """Write subaccounts of locked organizations, and the history of what became of them."""
    if not steps:
        return
    await subaccounts.save(connection, [step.after for step in steps])
    lines = [change_between(step.before, step.after, step.reason, step.now) for step in steps]
    if history := [line for line in lines if line is not None]:
        await changes.append(connection, history)
