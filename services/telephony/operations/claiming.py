"""Claims what is to be driven, many subaccounts in one transaction."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.logs import get_logger
from services.telephony.domain.changes import ChangeCause, Reason
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.reconciling import ReconcileTiming, claim, claim_aftermath
from services.telephony.domain.values import DueSearch, Subaccount, SuspensionPolicy, Work
from services.telephony.operations.settling import Step, settle_locked, write
from services.telephony.storage import due, organizations, subaccounts

# Whoever holds an organization's row is done in milliseconds.
HELD_UP_SECONDS = 0.1
DEFECT_SECONDS = 60.0
BY_TWILIO = Reason(ChangeCause.TWILIO)


@dataclass(frozen=True, slots=True)
class Claim:
    """A subaccount that this process may drive until its loop's clock shows the deadline."""

    subaccount: Subaccount
    deadline: float
    work: Work


@dataclass(frozen=True, slots=True)
class Claims:
    """What was claimed, whose organizations are to be left aside for how long, and if that is all.

    `may_be_more` tells that no more were looked for, for so many were found.
    """

    claims: list[Claim]
    left_aside_seconds: dict[str, float]
    may_be_more: bool


class Claiming:
    """Gives subaccounts out to be driven, each to one process at a time.

    A claim is committed before the call, under the lock of the organization: what is wanted then
    is what the levels say at that time.
    """

    def __init__(
        self, database: Database, policy: SuspensionPolicy, timing: ReconcileTiming
    ) -> None:
        self._database = database
        self._policy = policy
        self._timing = timing

    async def claim_due(self, search: DueSearch) -> Claims:
        """Claim what is due now; nobody's lock is waited for."""
        # Measured from before the claim: when the lease ends, no call of it is under way.
        deadline = asyncio.get_running_loop().time() + self._timing.lease.total_seconds()
        due_of = await self._database.run(due.list_due, search)
        claimed, left_aside = (
            await self._claim_or_try_each(due_of, search.work) if due_of else ([], {})
        )
        claims = [Claim(subaccount, deadline, search.work) for subaccount in claimed]
        return Claims(claims, left_aside, may_be_more=len(due_of) == search.limit)

    async def _claim_or_try_each(
        self, due_of: Mapping[str, str], work: Work
    ) -> tuple[list[Subaccount], dict[str, float]]:
        try:
            claimed, held_up = await self._database.transact(self._claim, due_of, work)
        except DatabaseUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - it is one subaccount's; the others go on
            if len(due_of) == 1:
                get_logger().exception("claim_defect", due=due_of)
                return [], dict.fromkeys(due_of.values(), DEFECT_SECONDS)
            each = [await self._claim_or_try_each({sid: due_of[sid]}, work) for sid in due_of]
            return [one for some, _ in each for one in some], {
                organization_id: seconds
                for _, aside in each
                for organization_id, seconds in aside.items()
            }
        return claimed, dict.fromkeys(held_up, HELD_UP_SECONDS)

    async def _claim(
        self, connection: Connection, due_of: Mapping[str, str], work: Work
    ) -> tuple[list[Subaccount], set[str]]:
        organization_ids = set(due_of.values())
        rows = await organizations.lock_free(connection, organization_ids)
        settlements, _ = await settle_locked(connection, rows, Reevaluate(), self._policy)
        # They are read again now that nobody can change them.
        found = await subaccounts.find(connection, list(due_of))
        steps = []
        for account_sid, organization_id in due_of.items():
            subaccount, settlement = found[account_sid], settlements.get(organization_id)
            if settlement and (claimed := self._claimed(subaccount, work, settlement.now)):
                steps.append(Step(subaccount, claimed, BY_TWILIO, settlement.now))
        await write(connection, steps)
        return [step.after for step in steps], organization_ids - settlements.keys()

    def _claimed(self, subaccount: Subaccount, work: Work, now: datetime) -> Subaccount | None:
        if work is Work.AFTERMATH:
            is_due = subaccount.is_aftermath_claimable_at(now)
            return claim_aftermath(subaccount, self._timing, now) if is_due else None
        is_due = subaccount.is_claimable_at(now)
        return claim(subaccount, self._timing, now) if is_due else None
