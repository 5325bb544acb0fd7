"""Carries intents out at Twilio: looks for what was made, makes what was not, suspends doubles."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from prometheus_client import CollectorRegistry, Counter

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.logs import get_logger
from services.telephony.domain.changes import ChangeCause, Reason
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.decision import blockers
from services.telephony.domain.failures import Action, Failure, defect, no_usable_answer
from services.telephony.domain.provisioning import (
    Provision,
    TwilioAccount,
    Vain,
    begin_create,
    choose,
    claim,
    doubles_of,
    fail,
    put_off,
    register_account,
    swept,
)
from services.telephony.domain.reconciling import ReconcileTiming
from services.telephony.domain.trouble import Call, TwilioState
from services.telephony.domain.values import (
    ObservedState,
    Subaccount,
    SuspensionPolicy,
    WantedState,
)
from services.telephony.operations.backing_off import BackOff
from services.telephony.operations.settling import Settlement, settle
from services.telephony.operations.subaccounts import register_in
from services.telephony.operations.trouble import TwilioTrouble
from services.telephony.ports import TwilioAccountMaker, TwilioError
from services.telephony.storage import provisions, subaccounts, trouble
from services.telephony.storage.provisions import DueProvision

# One of so many is worked on, so that one that is held up does not keep all the others waiting.
CANDIDATES_MAX = 20


class ClaimLostError(Exception):
    """The lease ended and somebody else took the intent over, who finds what was made."""


class Creation:
    """Works on one intent at a time, under a claim that outlasts every call of it.

    Whoever dies at any step leaves what the next claim needs: the intent, the name that its account
    would have, and until when no other create may be sent.
    """

    def __init__(
        self,
        database: Database,
        twilio: TwilioAccountMaker,
        policy: SuspensionPolicy,
        timing: ReconcileTiming,
        wake_reconciler: Callable[[], None],
        *,
        trouble: TwilioTrouble,
        back_off: BackOff,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._policy = policy
        self._timing = timing
        self._wake_reconciler = wake_reconciler
        self._trouble = trouble
        self._back_off = back_off
        self._doubles = Counter(
            "tollgate_twilio_double_accounts",
            "Accounts that Twilio made twice for one reference; they are suspended.",
            registry=registry,
        )

    async def carry_on(self) -> bool:
        """Work on one intent that is due; answer whether there was one."""
        if not self._trouble.may_call:
            return False
        due = await self._database.run(provisions.list_due, CANDIDATES_MAX)
        if due:
            await self._attempt(random.choice(due))
        return bool(due)

    async def _attempt(self, due: DueProvision) -> None:
        start_time = asyncio.get_running_loop().time()
        claimed = await self._database.transact(self._claim, due)
        if claimed is None:
            return
        try:
            # Measured from before the claim: when the lease ends, no call of it is under way.
            async with asyncio.timeout_at(start_time + self._timing.lease.total_seconds()):
                changed = await self._work(claimed)
        except DatabaseUnavailableError:
            raise
        except ClaimLostError:
            get_logger().warning("provision_claim_lost", **_names(claimed))
        except TimeoutError:
            failure = no_usable_answer("the lease ended before Twilio answered")
            await self._note_failure(claimed, failure)
        except TwilioError as error:
            await self._note_failure(claimed, error.failure)
        except Exception as error:  # noqa: BLE001 - whatever it is, other intents go on
            get_logger().exception("provision_defect", **_names(claimed))
            await self._note_failure(claimed, defect(error))
        else:
            await self._tell_of(claimed, None, changed=changed)

    async def _tell_of(self, claimed: Provision, failure: Failure | None, *, changed: bool) -> bool:
        """Let it be heard what Twilio did; answer whether a failure is the intent's own."""
        claim_time = self._timing.claim_time(claimed.lease_end_time)
        return await self._trouble.hear(Call(claimed.tag, claim_time, failure, changed=changed))

    async def _work(self, claimed: Provision) -> bool:
        """Do what is to be done next; answer whether Twilio has made a change."""
        accounts = await self._twilio.list_accounts(claimed.account_name)
        if claimed.account_sid is not None:
            return await self._suspend_doubles(claimed, accounts)
        return not await self._register_one(claimed, accounts) and await self._create(claimed)

    async def _create(self, claimed: Provision) -> bool:
        if not await self._database.transact(self._begin, claimed):
            return False
        account = await self._twilio.create_account(claimed.account_name)
        if not await self._register_one(claimed, [account]):
            taken = "the account that was made is somebody else's already"
            raise TwilioError(Failure(Action.RETRY, taken))
        return True

    async def _register_one(self, claimed: Provision, accounts: Sequence[TwilioAccount]) -> bool:
        """Register one of the accounts if one is the intent's; answer whether one is."""
        account_sid = await self._database.transact(self._register, claimed, accounts)
        if account_sid is None:
            return False
        get_logger().info("subaccount_provisioned", account_sid=account_sid, **_names(claimed))
        self._wake_reconciler()
        return True

    async def _suspend_doubles(self, claimed: Provision, accounts: Sequence[TwilioAccount]) -> bool:
        active, news = await self._database.transact(self._note_doubles, claimed, accounts)
        for account_sid in news:
            self._doubles.inc()
            get_logger().error("account_made_twice", double_sid=account_sid, **_names(claimed))
        errors = [error for sid in active if (error := await self._suspend(sid)) is not None]
        if errors:
            raise errors[0]
        await self._database.transact(self._finish_look, claimed)
        return bool(active)

    async def _suspend(self, account_sid: str) -> TwilioError | None:
        try:
            state = await self._twilio.set_status(account_sid, WantedState.SUSPENDED)
        except TwilioError as error:
            return error
        if state is ObservedState.ACTIVE:
            unchanged = f"Twilio left the account {account_sid} active"
            return TwilioError(Failure(Action.RETRY, unchanged))
        return None

    async def _claim(self, connection: Connection, due: DueProvision) -> Provision | None:
        settlement, _ = await settle(connection, due.organization_id, Reevaluate(), self._policy)
        provision = await provisions.find_by_tag(connection, due.tag)
        if provision is None or not provision.is_claimable_at(settlement.now):
            return None
        claimed = claim(provision, self._timing, settlement.now)
        await provisions.save(connection, claimed)
        return claimed

    async def _begin(self, connection: Connection, claimed: Provision) -> bool:
        """Commit that a create is sent, if nothing blocks and none may still be under way."""
        settlement, provision = await self._lock(connection, claimed)
        if await trouble.read_state(connection) is not TwilioState.OK:
            await provisions.save(connection, put_off(provision, settlement.now))
            return False
        blocked = bool(blockers(settlement.organization, settlement.now))
        begun = begin_create(provision, blocked=blocked, timing=self._timing, now=settlement.now)
        if begun is None:
            await provisions.withdraw(connection, provision)
            return False
        await provisions.save(connection, begun)
        return begun.is_held_by(claimed)

    async def _register(
        self, connection: Connection, claimed: Provision, accounts: Sequence[TwilioAccount]
    ) -> str | None:
        settlement, provision = await self._lock(connection, claimed)
        registered = await _registered(connection, accounts)
        account_sid = choose(provision, accounts, registered)
        if account_sid is None:
            return None
        await register_in(
            connection,
            provision.organization_id,
            provision.brand_id,
            account_sid,
            policy=self._policy,
            reason=Reason(ChangeCause.PROVISIONED),
        )
        ended = register_account(provision, account_sid, self._timing, settlement.now)
        await provisions.save(connection, ended)
        return account_sid

    async def _note_doubles(
        self, connection: Connection, claimed: Provision, accounts: Sequence[TwilioAccount]
    ) -> tuple[list[str], list[str]]:
        """Write down what was made twice; return what of it is active, and what is news."""
        _, provision = await self._lock(connection, claimed)
        doubles = doubles_of(provision, accounts, await _registered(connection, accounts))
        news = {each.account_sid for each in doubles}.difference(provision.double_account_sids)
        known = (*provision.double_account_sids, *sorted(news))
        await provisions.save(connection, replace(provision, double_account_sids=known))
        active = [each.account_sid for each in doubles if each.state is ObservedState.ACTIVE]
        return active, sorted(news)

    async def _finish_look(self, connection: Connection, claimed: Provision) -> None:
        settlement, provision = await self._lock(connection, claimed)
        await provisions.save(connection, swept(provision, self._timing, settlement.now))

    async def _note_failure(self, claimed: Provision, failure: Failure) -> None:
        counts = await self._tell_of(claimed, failure, changed=False)
        if counts:
            log = get_logger().warning if failure.action is Action.RETRY else get_logger().error
            log("provision_failed", error=failure.message, action=failure.action, **_names(claimed))
        vain = Vain(failure, self._back_off.delay(failure, claimed.attempt_count - 1), counts)
        with suppress(ClaimLostError):
            await self._database.transact(self._fail, claimed, vain)

    async def _lock(
        self, connection: Connection, claimed: Provision
    ) -> tuple[Settlement, Provision]:
        """Lock the organization; return it and the intent, whose claim must still be held."""
        settlement, _ = await settle(
            connection, claimed.organization_id, Reevaluate(), self._policy
        )
        provision = await provisions.find_by_tag(connection, claimed.tag)
        if provision is None or not provision.is_held_by(claimed):
            raise ClaimLostError
        return settlement, provision

    async def _fail(self, connection: Connection, claimed: Provision, vain: Vain) -> None:
        settlement, provision = await self._lock(connection, claimed)
        await provisions.save(connection, fail(provision, claimed, vain, settlement.now))


async def _registered(
    connection: Connection, accounts: Iterable[TwilioAccount]
) -> dict[str, Subaccount]:
    return await subaccounts.find(connection, [each.account_sid for each in accounts])


def _names(claimed: Provision) -> dict[str, object]:
    return {
        "organization_id": claimed.organization_id,
        "reference_id": claimed.reference_id,
        "attempt_count": claimed.attempt_count,
    }
