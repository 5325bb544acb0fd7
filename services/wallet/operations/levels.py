"""The wallet's level, as the announcer needs it."""

from collections.abc import Sequence

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection
from libs.levels import WalletLevel
from services.wallet.domain.refusals import wallet_not_found
from services.wallet.storage import wallets


class WalletLevels:
    """Reads levels, and lifts their revisions."""

    async def read_level(self, connection: Connection, key: LevelKey) -> WalletLevel:
        """Return the level as it stands now."""
        row = await wallets.read_wallet(connection, key.organization_id)
        if row is None:
            raise wallet_not_found(key.organization_id)
        return row.wallet.level

    async def lift_revision(
        self, connection: Connection, key: LevelKey, from_at_most: int, to: int
    ) -> bool:
        """Set the revision above one that an observer holds."""
        return await wallets.lift_revision(connection, key.organization_id, from_at_most, to)

    async def list_levels(
        self, connection: Connection, after: LevelKey | None, limit: int
    ) -> Sequence[CurrentLevel]:
        """Return all levels, a batch at a time."""
        organization_id = after.organization_id if after else ""
        return await wallets.list_levels(connection, organization_id, limit)
