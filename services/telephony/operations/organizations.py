"""What is told and commanded of an organization. None of it waits for Twilio."""

from collections.abc import Callable, Sequence

from libs.database import Connection, Database
from libs.lapses import Lapsed, list_lapsed
from libs.levels import SubscriptionLevel, WalletLevel
from libs.logs import get_logger
from libs.workers import for_each_organization
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
    Organization,
    Standing,
    SuspensionPolicy,
)
from services.telephony.operations.settling import settle, settle_locked
from services.telephony.storage import organizations, subaccounts

REEVALUATE_BATCH = 100


class OrganizationOperations:
    """The commands of an organization."""

    def __init__(
        self, database: Database, policy: SuspensionPolicy, wake_reconciler: Callable[[], None]
    ) -> None:
        self._database = database
        self._policy = policy
        self._wake_reconciler = wake_reconciler

    async def change(self, organization_id: str, command: Command) -> Organization:
        """Change what is known of an organization, and with it what its subaccounts must be."""
        settlement, changed_count = await self._database.transact(
            settle, organization_id, command, self._policy
        )
        if settlement.word:
            # In the log it is found also of an organization that has no subaccounts.
            is_set = settlement.organization.operator_block is not None
            get_logger().info(
                "operator_block_set" if is_set else "operator_block_lifted",
                organization_id=organization_id,
                note=settlement.word.note,
                actor=settlement.word.actor,
            )
        if changed_count:
            get_logger().info(
                "subaccounts_wanted_otherwise",
                organization_id=organization_id,
                wanted=wanted_state(settlement.organization, self._policy, settlement.now),
                cause=settlement.reason.cause,
                changed_count=changed_count,
            )
            self._wake_reconciler()
        return settlement.organization

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take a subscription's level; return the revision held."""
        command = ObserveSubscription(level)
        held = (await self.change(organization_id, command)).subscription
        return held.revision if held else 0

    async def observe_wallet(self, organization_id: str, level: WalletLevel) -> int:
        """Take a wallet's level; return the revision held."""
        command = ObserveWallet(level)
        held = (await self.change(organization_id, command)).wallet
        return held.revision if held else 0

    async def block(self, organization_id: str, note: str, actor: str) -> list[Standing]:
        """Set the operator's block; return the organization's subaccounts as they stand then."""
        await self.change(organization_id, SetOperatorBlock(note, actor))
        return await self._database.run(subaccounts.list_first, organization_id)

    async def unblock(self, organization_id: str, note: str, actor: str) -> list[Standing]:
        """Lift the operator's block; return the organization's subaccounts as they stand then."""
        await self.change(organization_id, LiftOperatorBlock(note, actor))
        return await self._database.run(subaccounts.list_first, organization_id)

    async def reevaluate_due(self) -> bool:
        """Suspend where time alone blocks; answer whether there may be more.

        The walk goes on behind whom it has tried: one that always fails, or whose row somebody
        holds, is left to the next walk and keeps nobody waiting.
        """
        after = Lapsed()
        while page := await self._database.run(list_lapsed, after, REEVALUATE_BATCH):
            await self._reevaluate([each.organization_id for each in page])
            after = page[-1]
        return False

    async def _reevaluate(self, organization_ids: Sequence[str]) -> None:
        try:
            await self._reevaluate_free(organization_ids)
        except Exception:  # noqa: BLE001 - whatever it is, it may be one organization's only
            get_logger().exception("lapses_failed", first_organization_id=organization_ids[0])
            await for_each_organization(organization_ids, self._reevaluate_alone)

    async def _reevaluate_alone(self, organization_id: str) -> None:
        await self._reevaluate_free([organization_id])

    async def _reevaluate_free(self, organization_ids: Sequence[str]) -> None:
        changed_count = await self._database.transact(_settle_free, organization_ids, self._policy)
        if changed_count:
            get_logger().info(
                "subaccounts_lapsed",
                first_organization_id=organization_ids[0],
                organization_count=len(organization_ids),
                changed_count=changed_count,
            )
            self._wake_reconciler()


async def _settle_free(
    connection: Connection, organization_ids: Sequence[str], policy: SuspensionPolicy
) -> int:
    """Settle those that nobody has locked; return how many subaccounts are wanted otherwise."""
    rows = await organizations.lock_free(connection, organization_ids)
    _, steps = await settle_locked(connection, rows, Reevaluate(), policy)
    return len(steps)
