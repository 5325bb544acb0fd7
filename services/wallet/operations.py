"""What the wallet does: one write path for every command, and its reads."""

from collections.abc import Sequence
from dataclasses import replace

from libs.announcing.announcer import Announcer
from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Database
from libs.levels import SubscriptionLevel, WalletLevel
from libs.paging import Page, decode_page_token, encode_page_token, page_limit
from libs.workers import for_each_organization
from services.wallet import storage
from services.wallet.domain.commands import (
    FIRST_COMMANDS,
    ApplyPayment,
    Command,
    Credit,
    Debit,
    ObserveSubscription,
    Reevaluate,
)
from services.wallet.domain.decision import Account, Effect, decide, wallet_not_found
from services.wallet.domain.values import Entry, EntryFilter, Wallet
from services.wallet.storage import WalletRow

REEVALUATE_BATCH = 100


class WalletLevels:
    """The wallet's level, as the announcer needs it."""

    async def read_level(self, connection: Connection, key: LevelKey) -> WalletLevel:
        """Return the level as it stands now."""
        row = await storage.read_wallet(connection, key.organization_id)
        if row is None:
            raise wallet_not_found(key.organization_id)
        return row.wallet.level

    async def lift_revision(
        self, connection: Connection, key: LevelKey, from_at_most: int, to: int
    ) -> bool:
        """Set the revision above one that an observer holds."""
        return await storage.lift_revision(connection, key.organization_id, from_at_most, to)

    async def list_levels(
        self, connection: Connection, after: LevelKey | None, limit: int
    ) -> Sequence[CurrentLevel]:
        """Return all levels, a batch at a time."""
        organization_id = after.organization_id if after else ""
        return await storage.list_levels(connection, organization_id, limit)


class WalletOperations:
    """The commands and reads of the wallet."""

    def __init__(self, database: Database, announcer: Announcer[WalletLevel]) -> None:
        self._database = database
        self._announcer = announcer

    async def execute(self, organization_id: str, command: Command) -> Effect:
        """Carry out one command, or raise the DomainError that refuses it."""
        before, effect = await self._database.transact(
            self._decide_and_append, organization_id, command
        )
        if effect.wallet.level_revision > before.level_revision:
            self._announcer.wake(LevelKey(organization_id))
        return effect

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take a subscription's level; return the revision held."""
        effect = await self.execute(organization_id, ObserveSubscription(level))
        return effect.wallet.subscription.revision if effect.wallet.subscription else 0

    async def get_wallet(self, organization_id: str) -> Wallet:
        """Return the wallet as it stands now."""
        row = await self._database.run(storage.read_wallet, organization_id)
        if row is None or row.wallet.currency_code is None:
            raise wallet_not_found(organization_id)
        return row.wallet.as_of(row.now)

    async def list_entries(
        self, wanted: EntryFilter, page_size: int, page_token: str
    ) -> Page[Entry]:
        """Return a page of entries, newest first."""
        key = decode_page_token(page_token, int)
        limit = page_limit(page_size)
        before_sequence = int(key[0]) if key else None
        entries = await self._database.run(storage.list_entries, wanted, before_sequence, limit + 1)
        more = len(entries) > limit
        return Page(entries[:limit], encode_page_token(entries[limit - 1].sequence) if more else "")

    async def reevaluate_due(self) -> bool:
        """Freeze wallets whose good news has expired; answer whether there may be more."""
        organization_ids = await self._database.run(
            storage.list_due_organizations, REEVALUATE_BATCH
        )
        await for_each_organization(organization_ids, self._reevaluate)
        return len(organization_ids) == REEVALUATE_BATCH

    async def _reevaluate(self, organization_id: str) -> None:
        await self.execute(organization_id, Reevaluate())

    async def _decide_and_append(
        self, connection: Connection, organization_id: str, command: Command
    ) -> tuple[Wallet, Effect]:
        row = await self._lock(connection, organization_id, command)
        account = await self._load(connection, row.wallet, command)
        effect = decide(account, command, row.now)
        await storage.append_entries(connection, effect.entries if not effect.replayed else ())
        if effect.payment != account.payment and effect.payment is not None:
            await storage.save_payment(connection, organization_id, effect.payment)
        if effect.wallet != row.wallet:
            await storage.save_wallet(connection, effect.wallet)
        if effect.wallet.level_revision > row.wallet.level_revision:
            current = CurrentLevel(LevelKey(organization_id), effect.wallet.level_revision)
            await self._announcer.mark(connection, current)
        return row.wallet, replace(effect, wallet=effect.wallet.as_of(row.now))

    async def _lock(
        self, connection: Connection, organization_id: str, command: Command
    ) -> WalletRow:
        if isinstance(command, FIRST_COMMANDS):
            await storage.make_row(connection, organization_id)
        row = await storage.lock_wallet(connection, organization_id)
        if row is None:
            raise wallet_not_found(organization_id)
        return row

    async def _load(self, connection: Connection, wallet: Wallet, command: Command) -> Account:
        organization_id = wallet.organization_id
        match command:
            case Debit() | Credit():
                earlier = await storage.find_entries_by_reference(
                    connection, organization_id, command.reference_id
                )
                return Account(wallet, earlier=earlier)
            case ApplyPayment():
                payment = await storage.find_payment(
                    connection, organization_id, command.payment_id
                )
                return Account(wallet, payment=payment)
            case _:
                return Account(wallet)
