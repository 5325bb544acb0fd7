"""Whoever holds a wallet's lock for too long is named in the log."""

from contextlib import suppress

from libs.database import Database, DatabaseUnavailableError
from libs.logs import get_logger
from services.wallet.storage.wallets import find_lock_holder


async def name_lock_holder(database: Database, organization_id: str) -> None:
    """Tell who has a wallet locked, if anybody has."""
    with suppress(DatabaseUnavailableError):
        if holder := await database.run(find_lock_holder, organization_id):
            get_logger().error("wallet_lock_timeout", organization_id=organization_id, **holder)
