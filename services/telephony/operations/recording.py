"""Writes down what calls came to, many in one transaction."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.logs import get_logger
from libs.riding import Riding, RidingLimits
from services.telephony.domain.aftermath import AftermathAnswer
from services.telephony.domain.changes import ChangeCause, Reason
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.reconciling import (
    Answer,
    ReconcileTiming,
    give_back,
    give_back_aftermath,
    record,
    record_aftermath,
)
from services.telephony.domain.values import ObservedState, Subaccount, SuspensionPolicy, Work
from services.telephony.operations.claiming import BY_TWILIO, Claim
from services.telephony.operations.settling import Step, settle_locked, write
from services.telephony.storage import organizations, subaccounts

# Whoever holds an organization's row is done in milliseconds.
PUT_OFF_SECONDS = (0.05, 0.25)
IN_AFTERMATH = Reason(ChangeCause.AFTERMATH)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What driving a claimed subaccount came to; without an answer Twilio was not called."""

    claim: Claim
    answer: Answer | AftermathAnswer | None


class Recording:
    """The way of all outcomes to the database; many ride in one transaction.

    One whose organization somebody holds comes again, and keeps no other.
    """

    def __init__(
        self,
        database: Database,
        policy: SuspensionPolicy,
        timing: ReconcileTiming,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._policy = policy
        self._timing = timing
        self._riding = Riding(self._carry, RidingLimits(trips_at_once_max=1))
        self._drifts = Counter(
            "tollgate_subaccount_drifts",
            "Subaccounts found otherwise at Twilio than they were left, by how they were found.",
            ["observed"],
            registry=registry,
        )
        # The first of them is seen as one more only if there were none before.
        for observed in ObservedState:
            self._drifts.labels(observed)

    async def record(self, outcome: Outcome) -> bool:
        """Write the outcome down, and tell whether the subaccount is due again at once.

        If that takes too long the claim is over: whoever comes next takes the outcome for open.
        """
        try:
            step = await self._ride_until_written(outcome)
        except Exception:  # noqa: BLE001 - it is one subaccount's; the others go on
            get_logger().exception("record_defect", **names(outcome.claim))
            return False
        if step is None:
            get_logger().warning("twilio_answer_lost", **names(outcome.claim))
            return True
        self._tell(step)
        return step.after.is_claimable_at(step.now) or step.after.is_aftermath_claimable_at(
            step.now
        )

    async def _ride_until_written(self, outcome: Outcome) -> Step | None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                if step := await self._riding.ride(outcome):
                    return step
            except DatabaseUnavailableError:
                pass
            if loop.time() >= outcome.claim.deadline:
                return None
            await asyncio.sleep(random.uniform(*PUT_OFF_SECONDS))

    async def _carry(self, outcomes: Sequence[Outcome]) -> list[Step | None]:
        return await self._database.transact(self._record, outcomes)

    def _tell(self, step: Step) -> None:
        before, after = step.before, step.after
        sight = {"account_sid": after.account_sid, "observed": after.told}
        if step.reason.cause is ChangeCause.DRIFT and before.told is not after.told:
            self._drifts.labels(after.told).inc()
            get_logger().error("subaccount_changed_behind_our_back", was=before.told, **sight)
        elif before == after:
            get_logger().warning("twilio_answer_too_late", **sight)
        else:
            get_logger().info("twilio_answer_recorded", **sight)

    async def _record(
        self, connection: Connection, outcomes: Sequence[Outcome]
    ) -> list[Step | None]:
        """Return what became of each subaccount; None where somebody holds the organization."""
        driven = [outcome.claim.subaccount for outcome in outcomes]
        rows = await organizations.lock_free(connection, {each.organization_id for each in driven})
        settlements, _ = await settle_locked(connection, rows, Reevaluate(), self._policy)
        found = await subaccounts.find(connection, [each.account_sid for each in driven])
        steps = [
            self._step(found[each.account_sid], outcome, settlement.now)
            if (settlement := settlements.get(each.organization_id))
            else None
            for each, outcome in zip(driven, outcomes, strict=True)
        ]
        await write(connection, [step for step in steps if step])
        return steps

    def _step(self, subaccount: Subaccount, outcome: Outcome, now: datetime) -> Step:
        claimed, answer = outcome.claim.subaccount, outcome.answer
        if not subaccount.is_held_by(claimed):
            return Step(subaccount, subaccount, BY_TWILIO, now)
        if outcome.claim.work is Work.AFTERMATH:
            return Step(subaccount, _after_aftermath(subaccount, answer, now), IN_AFTERMATH, now)
        assert not isinstance(answer, AftermathAnswer)
        if answer is None:
            return Step(subaccount, give_back(subaccount, now), BY_TWILIO, now)
        recorded = record(subaccount, claimed, answer, self._timing, now)
        return Step(subaccount, recorded, answer.reason(claimed), now)


def _after_aftermath(
    subaccount: Subaccount, answer: Answer | AftermathAnswer | None, now: datetime
) -> Subaccount:
    if isinstance(answer, AftermathAnswer):
        return record_aftermath(subaccount, answer, now)
    return give_back_aftermath(subaccount)


def names(claim: Claim) -> dict[str, object]:
    """Return what tells one claim from others in logs."""
    subaccount = claim.subaccount
    return {
        "account_sid": subaccount.account_sid,
        "organization_id": subaccount.organization_id,
        "wanted": subaccount.wanted,
        "attempt_count": subaccount.attempt_count,
    }
