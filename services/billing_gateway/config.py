"""The gateway's settings."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from libs.config import (
    SECONDS_MAX,
    Address,
    AnnouncingSettings,
    CommaSeparatedSecrets,
    FromJson,
    NamedAddresses,
    Seconds,
)
from services.billing_gateway.domain.crediting import (
    CreditAllowance,
    CreditAmountPaid,
    CreditNothing,
    PlanCredit,
)


class AllowanceSetting(BaseModel):
    """A fixed amount for each period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowance_micros: Annotated[int, Field(gt=0, lt=2**63, strict=True)]
    currency_code: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


PlanSetting = Literal["amount_paid", "nothing"] | AllowanceSetting


class BillingGatewaySettings(AnnouncingSettings):
    """Read from the environment, prefix BILLING_GATEWAY_ but for the providers' own."""

    model_config = SettingsConfigDict(env_prefix="BILLING_GATEWAY_")

    listen_address: Address = "127.0.0.1:50054"
    metrics_address: Address = "127.0.0.1:9104"
    http_address: Address = "127.0.0.1:8080"
    wallet_address: Address = Field(validation_alias="WALLET_ADDRESS")
    subscription_observers: NamedAddresses
    trust_claimed_organizations: bool = False
    period_slack_seconds: Annotated[float, Field(ge=0, le=SECONDS_MAX)] = 86_400.0
    plan_credits: Annotated[dict[str, PlanSetting], NoDecode, FromJson] = Field(
        default_factory=dict
    )
    inbox_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    stripe_webhook_secrets: CommaSeparatedSecrets = Field(validation_alias="STRIPE_WEBHOOK_SECRETS")
    stripe_signature_tolerance_seconds: Seconds = Field(
        default=300.0, validation_alias="STRIPE_SIGNATURE_TOLERANCE_SECONDS"
    )
    stripe_livemode: bool = Field(default=True, validation_alias="STRIPE_LIVEMODE")

    @property
    def plans(self) -> dict[str, PlanCredit]:
        """What each listed plan credits."""
        return {plan_id: _plan_credit(setting) for plan_id, setting in self.plan_credits.items()}


def _plan_credit(setting: PlanSetting) -> PlanCredit:
    if isinstance(setting, AllowanceSetting):
        return CreditAllowance(setting.allowance_micros, setting.currency_code)
    return CreditNothing() if setting == "nothing" else CreditAmountPaid()


def reveal(secrets: tuple[SecretStr, ...]) -> tuple[str, ...]:
    """Return the secrets themselves, for the one who must use them."""
    return tuple(secret.get_secret_value() for secret in secrets)
