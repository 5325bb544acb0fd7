"""What the service does: one write path for organizations, the reads, and driving Twilio."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.errors import invalid_field
from libs.levels import SubscriptionLevel, WalletLevel
from libs.logs import get_logger
from libs.paging import Page, decode_page_token, encode_page_token, page_limit
from libs.workers import back_off_seconds, for_each_organization
from services.telephony import storage
from services.telephony.domain.commands import (
    Command,
    LiftOperatorBlock,
    ObserveSubscription,
    ObserveWallet,
    Reevaluate,
    SetOperatorBlock,
)
from services.telephony.domain.decision import (
    decide,
    normal_account_sid,
    register,
    require_same_registration,
    sending_blockers,
    standing_at,
    subaccount_not_found,
    wanted_state,
)
from services.telephony.domain.reconciling import (
    Answer,
    ReconcileTiming,
    claim,
    needs_driving,
    record,
)
from services.telephony.domain.values import (
    Blocker,
    Due,
    DueSearch,
    ObservedState,
    Organization,
    Standing,
    Subaccount,
    SubaccountFilter,
    WantedState,
)
from services.telephony.ports import (
    TwilioAccounts,
    TwilioBusyError,
    TwilioError,
    TwilioRefusedError,
    TwilioUnavailableError,
)

REEVALUATE_BATCH = 100
# As many as a page may have.
LISTED_MAX = 500
BACK_OFF_BASE_SECONDS = 0.5
REFUSED_BACK_OFF_BASE_SECONDS = 10.0
# However long Twilio asks to wait: a suspension is not put off for ever.
RETRY_AFTER_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """An organization after a command, and how many subaccounts are wanted otherwise since."""

    organization: Organization
    changed_count: int
    now: datetime


class TelephonyOperations:
    """The commands and reads of the subaccounts. None of them waits for Twilio."""

    def __init__(
        self, database: Database, parent_account_sid: str, wake_reconciler: Callable[[], None]
    ) -> None:
        self._database = database
        self._parent_account_sid = normal_account_sid(parent_account_sid)
        self._wake_reconciler = wake_reconciler

    async def change_organization(self, organization_id: str, command: Command) -> Organization:
        """Change what is known of an organization, and with it what its subaccounts must be."""
        settlement = await self._database.transact(_settle, organization_id, command)
        if settlement.changed_count:
            get_logger().info(
                "subaccounts_wanted_otherwise",
                organization_id=organization_id,
                wanted=wanted_state(settlement.organization, settlement.now),
                changed_count=settlement.changed_count,
            )
            self._wake_reconciler()
        return settlement.organization

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take a subscription's level; return the revision held."""
        command = ObserveSubscription(level)
        held = (await self.change_organization(organization_id, command)).subscription
        return held.revision if held else 0

    async def observe_wallet(self, organization_id: str, level: WalletLevel) -> int:
        """Take a wallet's level; return the revision held."""
        command = ObserveWallet(level)
        held = (await self.change_organization(organization_id, command)).wallet
        return held.revision if held else 0

    async def block(self, organization_id: str, note: str, actor: str) -> list[Standing]:
        """Set the operator's block; return the organization's subaccounts as they stand then."""
        await self.change_organization(organization_id, SetOperatorBlock(note, actor))
        get_logger().info("operator_block_set", note=note, actor=actor)
        return await self._list_of_organization(organization_id)

    async def unblock(self, organization_id: str, note: str, actor: str) -> list[Standing]:
        """Lift the operator's block; return the organization's subaccounts as they stand then."""
        await self.change_organization(organization_id, LiftOperatorBlock())
        get_logger().info("operator_block_lifted", note=note, actor=actor)
        return await self._list_of_organization(organization_id)

    async def reevaluate_due(self) -> bool:
        """Suspend where good news has expired; answer whether there may be more."""
        organization_ids = await self._database.run(
            storage.list_lapsed_organizations, REEVALUATE_BATCH
        )
        await for_each_organization(organization_ids, self._reevaluate)
        return len(organization_ids) == REEVALUATE_BATCH

    async def register_subaccount(
        self, organization_id: str, brand_id: str, account_sid: str
    ) -> Standing:
        """Put a subaccount under the organization's rule."""
        account_sid = normal_account_sid(account_sid)
        if account_sid == self._parent_account_sid:
            raise invalid_field("account_sid", "is the platform's own account")
        standing = await self._database.transact(
            self._register, organization_id, brand_id, account_sid
        )
        self._wake_reconciler()
        return standing

    async def get_subaccount(self, account_sid: str) -> Standing:
        """Return a subaccount as it stands now."""
        account_sid = normal_account_sid(account_sid)
        standing = await self._database.run(storage.read_subaccount, account_sid)
        if standing is None:
            raise subaccount_not_found(account_sid)
        return standing

    async def list_subaccounts(
        self, which: SubaccountFilter, page_size: int, page_token: str
    ) -> Page[Standing]:
        """Return a page of subaccounts by their SID."""
        key = decode_page_token(page_token, str)
        limit = page_limit(page_size)
        after = str(key[0]) if key else ""
        standings = await self._database.run(storage.list_subaccounts, which, after, limit + 1)
        page = standings[:limit]
        more = len(standings) > limit
        return Page(page, encode_page_token(page[-1].subaccount.account_sid) if more else "")

    async def find_sending_blockers(
        self, organization_id: str, brand_id: str
    ) -> tuple[Blocker, ...]:
        """Return what forbids an organization to send, with one brand's subaccounts or with all."""
        scope = await self._database.run(storage.read_sending_scope, organization_id, brand_id)
        return sending_blockers(scope.organization, scope.observed_states, scope.now)

    async def _reevaluate(self, organization_id: str) -> None:
        await self.change_organization(organization_id, Reevaluate())

    async def _list_of_organization(self, organization_id: str) -> list[Standing]:
        which = SubaccountFilter(organization_id=organization_id)
        return await self._database.run(storage.list_subaccounts, which, "", LISTED_MAX)

    async def _register(
        self, connection: Connection, organization_id: str, brand_id: str, account_sid: str
    ) -> Standing:
        settlement = await _settle(connection, organization_id, Reevaluate())
        organization, now = settlement.organization, settlement.now
        new = register(organization, brand_id, account_sid, now)
        await storage.insert_subaccount(connection, new)
        found = await storage.find_subaccount(connection, account_sid)
        assert found is not None
        require_same_registration(found, organization_id, brand_id)
        return standing_at(found, organization, now)


class Reconciliation:
    """Drives Twilio until it stands as wanted, never two calls for one subaccount at a time.

    Claim, call, record: the claim and the record are transactions of their own under the lock of
    the organization, so an activation is only sent where nothing blocked when it was claimed.
    """

    def __init__(
        self,
        database: Database,
        twilio: TwilioAccounts,
        timing: ReconcileTiming,
        *,
        back_off_max_seconds: float,
        refused_back_off_max_seconds: float,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._timing = timing
        self._back_off_max_seconds = back_off_max_seconds
        self._refused_back_off_max_seconds = refused_back_off_max_seconds

    async def list_due(self, search: DueSearch) -> list[Due]:
        """Return what is to be driven now."""
        return await self._database.run(storage.list_due, search)

    async def reconcile(self, due: Due) -> None:
        """Drive one subaccount once, if nobody else does."""
        start_time = asyncio.get_running_loop().time()
        claimed = await self._database.transact(self._claim, due)
        if claimed is None:
            return
        # Measured from before the claim: when the lease ends, no call of it is under way.
        deadline = start_time + self._timing.lease.total_seconds()
        answer = await self._drive_or_explain(deadline, claimed)
        recorded = await self._database.transact(self._record, claimed, answer)
        event = "twilio_answer_recorded" if recorded else "twilio_answer_too_late"
        get_logger().info(event, observed=answer.observed, **_names(claimed))

    async def _claim(self, connection: Connection, due: Due) -> Subaccount | None:
        settlement = await _settle(connection, due.organization_id, Reevaluate())
        subaccount = await storage.find_subaccount(connection, due.account_sid)
        if subaccount is None or not subaccount.is_claimable_at(settlement.now):
            return None
        claimed = claim(subaccount, self._timing, settlement.now)
        await storage.save_subaccount(connection, claimed)
        return claimed

    async def _is_still_wanted(self, connection: Connection, claimed: Subaccount) -> bool:
        await _settle(connection, claimed.organization_id, Reevaluate())
        subaccount = await storage.find_subaccount(connection, claimed.account_sid)
        if subaccount is None or not subaccount.is_held_by(claimed):
            return False
        return subaccount.wanted is claimed.wanted

    async def _record(self, connection: Connection, claimed: Subaccount, answer: Answer) -> bool:
        settlement = await _settle(connection, claimed.organization_id, Reevaluate())
        subaccount = await storage.find_subaccount(connection, claimed.account_sid)
        if subaccount is None or not subaccount.is_held_by(claimed):
            return False
        recorded = record(subaccount, claimed, answer, self._timing, settlement.now)
        await storage.save_subaccount(connection, recorded)
        return True

    async def _drive_or_explain(self, deadline: float, claimed: Subaccount) -> Answer:
        """A defect with one subaccount is a failure of that one; it holds up no other."""
        try:
            return await self._drive_until(deadline, claimed)
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, other subaccounts go on
            get_logger().exception("reconcile_defect", **_names(claimed))
            failure = TwilioUnavailableError(f"internal error: {type(error).__name__}")
            return self._failure(claimed, failure, ObservedState.UNKNOWN)

    async def _drive_until(self, deadline: float, claimed: Subaccount) -> Answer:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._drive(claimed)
        except TimeoutError:
            error = TwilioUnavailableError("the lease ended before Twilio answered")
            return self._failure(claimed, error, ObservedState.UNKNOWN)

    async def _drive(self, claimed: Subaccount) -> Answer:
        if claimed.wanted is WantedState.SUSPENDED:
            return await self._change(claimed, claimed.wanted)
        looked = await self._look(claimed)
        if claimed.wanted is None or looked.observed is None:
            return looked
        if not needs_driving(claimed.wanted, looked.observed):
            return looked
        # The look took its time; what was committed meanwhile counts.
        if not await self._database.transact(self._is_still_wanted, claimed):
            return looked
        return await self._change(claimed, claimed.wanted)

    async def _look(self, claimed: Subaccount) -> Answer:
        try:
            return Answer(await self._twilio.fetch_status(claimed.account_sid))
        except TwilioError as error:
            return self._failure(claimed, error, None)

    async def _change(self, claimed: Subaccount, wanted: WantedState) -> Answer:
        try:
            observed = await self._twilio.set_status(claimed.account_sid, wanted)
        except TwilioUnavailableError as error:
            return self._failure(claimed, error, ObservedState.UNKNOWN)
        except TwilioBusyError as error:
            return self._failure(claimed, error, None)
        except TwilioRefusedError as error:
            return await self._look_after_refusal(claimed, wanted, error)
        if needs_driving(wanted, observed):
            unchanged = TwilioUnavailableError(f"Twilio left the account {observed}")
            return self._failure(claimed, unchanged, observed)
        return Answer(observed)

    async def _look_after_refusal(
        self, claimed: Subaccount, wanted: WantedState, error: TwilioRefusedError
    ) -> Answer:
        """A refused account may be closed, or stand as wanted already."""
        looked = await self._look(claimed)
        if looked.observed is not None and not needs_driving(wanted, looked.observed):
            return looked
        return self._failure(claimed, error, looked.observed)

    def _failure(
        self, claimed: Subaccount, error: TwilioError, observed: ObservedState | None
    ) -> Answer:
        retry_count = claimed.attempt_count - 1
        if isinstance(error, TwilioRefusedError):
            get_logger().error("twilio_call_refused", error=str(error), **_names(claimed))
            wait_seconds = back_off_seconds(
                retry_count, REFUSED_BACK_OFF_BASE_SECONDS, self._refused_back_off_max_seconds
            )
        else:
            get_logger().warning("twilio_call_failed", error=str(error), **_names(claimed))
            wait_seconds = back_off_seconds(
                retry_count, BACK_OFF_BASE_SECONDS, self._back_off_max_seconds
            )
        asked_seconds = min(error.retry_after_seconds, RETRY_AFTER_SECONDS_MAX)
        retry_delay = timedelta(seconds=max(wait_seconds, asked_seconds))
        return Answer(observed, str(error), retry_delay)


async def _settle(connection: Connection, organization_id: str, command: Command) -> Settlement:
    """Lock the organization, carry out the command, and want of its subaccounts what follows."""
    await storage.make_organization(connection, organization_id)
    row = await storage.lock_organization(connection, organization_id)
    organization = decide(row.organization, command, row.now)
    if organization != row.organization:
        await storage.save_organization(connection, organization)
    wanted = wanted_state(organization, row.now)
    changed_count = await storage.want(connection, organization_id, wanted, row.now)
    return Settlement(organization, changed_count, row.now)


def _names(claimed: Subaccount) -> dict[str, object]:
    return {
        "account_sid": claimed.account_sid,
        "organization_id": claimed.organization_id,
        "wanted": claimed.wanted,
        "attempt_count": claimed.attempt_count,
    }
