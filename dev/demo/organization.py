"""Whom the story is about: somebody new each time, so that it can be told again."""

import secrets
from dataclasses import dataclass

BRAND_ID = "demo-brand"
CURRENCY_CODE = "USD"
CAMPAIGN_NAMES = ("spring", "summer", "autumn")


@dataclass(frozen=True)
class Organization:
    """An organization with what it has at Twilio and with the platform."""

    organization_id: str
    account_sids: tuple[str, ...]

    def campaign_id(self, name: str) -> str:
        return f"{self.organization_id}-{name}"


def new_organization() -> Organization:
    organization_id = f"demo-{secrets.token_hex(4)}"
    account_sids = sorted(f"AC{secrets.token_hex(16)}" for _ in range(2))
    return Organization(organization_id, tuple(account_sids))
