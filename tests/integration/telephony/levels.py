"""Levels as the gateway and the wallet announce them, for tests that need no channel."""

from datetime import datetime

from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from services.telephony.operations.organizations import OrganizationOperations
from tests.support.level_steps import FAR_FUTURE


def subscription_level(*, revision: int, good_until: datetime = FAR_FUTURE) -> SubscriptionLevel:
    """Return good news."""
    return SubscriptionLevel(
        revision, SubscriptionState.ACTIVE, good_standing=True, good_until=good_until
    )


def wallet_level(*, revision: int, frozen: bool) -> WalletLevel:
    """Return a wallet with money in it."""
    return WalletLevel(
        revision=revision,
        frozen=frozen,
        freeze_reasons=("OPERATOR",) if frozen else (),
        depleted=False,
        depleted_since=None,
        owing_micros=0,
        currency_code="USD",
    )


async def make_good(organizations: OrganizationOperations, organization_id: str) -> None:
    """Let an organization send."""
    await organizations.observe_subscription(organization_id, subscription_level(revision=1))
    await organizations.observe_wallet(organization_id, wallet_level(revision=1, frozen=False))
