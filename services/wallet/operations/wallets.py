"""Wallets as callers see them, and what time alone does to them."""

from libs.announcing.ports import Announcement
from libs.announcing.storage import list_of_organization
from libs.database import Database
from libs.levels import SubscriptionLevel
from libs.paging import (
    Page,
    decode_page_token,
    encode_page_token,
    key_to_time,
    page_limit,
    page_of,
    time_to_key,
)
from libs.workers import for_each_organization
from services.wallet.domain.commands import ObserveSubscription, Reevaluate
from services.wallet.domain.filters import WalletFilter
from services.wallet.domain.refusals import hold_not_found, wallet_not_found
from services.wallet.domain.values import Hold, HoldState, Wallet
from services.wallet.operations.engine import Engine
from services.wallet.storage import holds, wallets
from services.wallet.storage.wallets import FIRST_DUE

REEVALUATE_BATCH = 100


class WalletOperations:
    """Reads of wallets and holds, and commands that no caller gives."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine
        self._due_after = FIRST_DUE

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take a subscription's level; return the revision held."""
        effect = await self._engine.execute(organization_id, ObserveSubscription(level))
        return effect.wallet.subscription.revision if effect.wallet.subscription else 0

    async def get_wallet(self, organization_id: str) -> Wallet:
        """Return the wallet as it stands now."""
        row = await self._database.run(wallets.read_wallet, organization_id)
        if row is None or row.wallet.currency_code is None:
            raise wallet_not_found(organization_id)
        return row.wallet.as_of(row.now)

    async def list_wallets(
        self, wanted: WalletFilter, page_size: int, page_token: str
    ) -> Page[Wallet]:
        """Return a page of wallets in the order of their organizations.

        As they are stored, since that is what they are chosen by: a wallet whose news has just
        expired is told as not frozen until that is acted on.
        """
        key = decode_page_token(page_token, str)
        limit = page_limit(page_size)
        rows = await self._database.run(
            wallets.list_wallets, wanted, str(key[0]) if key else "", limit + 1
        )
        found = [row.wallet for row in rows]
        return page_of(found, limit, lambda last: encode_page_token(last.organization_id))

    async def get_hold(self, organization_id: str, hold_reference_id: str) -> tuple[Hold, Wallet]:
        """Return a hold, and the wallet that it is in."""
        wallet = await self.get_wallet(organization_id)
        key = organization_id, hold_reference_id
        found = await self._database.run(holds.find_holds, [key])
        if key not in found:
            raise hold_not_found(hold_reference_id)
        return found[key], wallet

    async def list_holds(
        self, organization_id: str, state: HoldState | None, page_size: int, page_token: str
    ) -> tuple[Page[Hold], str | None]:
        """Return a page of holds, newest first, and their currency; without a wallet, none."""
        key = decode_page_token(page_token, int, str)
        before = holds.Place(key_to_time(int(key[0])), str(key[1])) if key else holds.NEWEST
        limit = page_limit(page_size)
        states = [state] if state else HoldState
        found = await self._database.run(
            holds.list_holds, organization_id, states, before, limit + 1
        )
        if not found:
            return Page([], ""), None
        wallet = await self.get_wallet(organization_id)
        return page_of(found, limit, _token_after), wallet.currency_code

    async def list_announcements(self, organization_id: str) -> list[Announcement]:
        """Return how far each observer has taken the wallet's level."""
        return await self._database.run(list_of_organization, organization_id)

    async def reevaluate_due(self) -> bool:
        """Let time do what it does where it is due; answer whether there may be more.

        What is still due after its turn has another one when all others have had theirs.
        """
        due = await self._database.run(wallets.list_due, self._due_after, REEVALUATE_BATCH)
        more = len(due) == REEVALUATE_BATCH
        self._due_after = due[-1] if more else FIRST_DUE
        await for_each_organization((each.organization_id for each in due), self._reevaluate)
        return more

    async def _reevaluate(self, organization_id: str) -> None:
        await self._engine.execute(organization_id, Reevaluate())


def _token_after(hold: Hold) -> str:
    return encode_page_token(time_to_key(hold.create_time), hold.reference_id)
