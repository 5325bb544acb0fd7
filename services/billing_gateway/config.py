"""The gateway's settings."""

import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from libs.config import (
    SECONDS_MAX,
    Address,
    AnnouncingSettings,
    ApiBase,
    CommaSeparated,
    CommaSeparatedKeys,
    CommaSeparatedSecrets,
    EmptyIsNone,
    FromJson,
    NamedAddresses,
    Seconds,
)
from libs.ids import ID
from services.billing_gateway.domain.crediting import (
    CreditAllowance,
    CreditAmountPaid,
    CreditNothing,
    PlanCredit,
)

# Three times that is a call with its retries, for which others wait: no longer than for a lease.
ProviderSeconds = Annotated[float, Field(gt=0, le=20)]
SecondsOrNone = Annotated[float, Field(ge=0, le=SECONDS_MAX)]
PlanId = Annotated[str, Field(pattern=f"^{ID.pattern}$")]
PayPalClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$")]
PayPalWebhookId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
FraudType = Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")]

# Whoever can guess a secret can forge payments: a value in quotes, or of another kind, is none.
STRIPE_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
STRIPE_API_KEY = re.compile(r"(?:(?:sk|rk)_(?:(live|test)_)?[A-Za-z0-9_]+)?")

SIMULATED_EVENTS_WEBHOOK_ID = "WEBHOOK_ID"

# The types of Stripe's early fraud warnings that say the means of payment was not the customer's.
STOLEN_MEANS_OF_PAYMENT = (
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "unauthorized_use_of_card",
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
    claim_keys: CommaSeparatedKeys = ()
    period_slack_seconds: SecondsOrNone = 86_400.0
    past_due_grace_seconds: SecondsOrNone = 0.0
    look_interval_seconds: Seconds = 86_400.0
    checkout_look_seconds: Seconds = 900.0
    body_retention_seconds: Seconds = 7_776_000.0
    parked_alarm_seconds: Seconds = 3600.0
    provider_timeout_seconds: ProviderSeconds = 10.0
    plan_credits: Annotated[dict[PlanId, PlanSetting], NoDecode, FromJson] = Field(
        default_factory=dict, description="ids of plans, and currencies in three capital letters"
    )
    inbox_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    paypal_environment: Literal["sandbox", "live"] = Field(
        default="live", validation_alias="PAYPAL_ENVIRONMENT"
    )
    paypal_client_id: PayPalClientId = Field(
        default="", validation_alias="PAYPAL_CLIENT_ID", description="letters, digits, - and _"
    )
    paypal_client_secret: SecretStr = Field(
        default=SecretStr(""), validation_alias="PAYPAL_CLIENT_SECRET"
    )
    paypal_webhook_ids: Annotated[tuple[PayPalWebhookId, ...], NoDecode, CommaSeparated] = Field(
        default=(),
        validation_alias="PAYPAL_WEBHOOK_IDS",
        description="ids of letters, digits, - and _, comma-separated",
    )
    paypal_api_base: Annotated[ApiBase | None, EmptyIsNone] = Field(
        default=None, validation_alias="PAYPAL_API_BASE"
    )
    paypal_intermediates_file: Annotated[FilePath | None, EmptyIsNone] = Field(
        default=None, validation_alias="PAYPAL_INTERMEDIATES_FILE"
    )
    # After PayPal's: whether one of the two is there is looked at here.
    stripe_webhook_secrets: CommaSeparatedSecrets = Field(
        default=(), validation_alias="STRIPE_WEBHOOK_SECRETS", validate_default=True
    )
    stripe_signature_tolerance_seconds: Seconds = Field(
        default=300.0, validation_alias="STRIPE_SIGNATURE_TOLERANCE_SECONDS"
    )
    stripe_livemode: bool = Field(default=True, validation_alias="STRIPE_LIVEMODE")
    stripe_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="STRIPE_API_KEY")
    stripe_api_base: ApiBase = Field(
        default="https://api.stripe.com", validation_alias="STRIPE_API_BASE"
    )
    stripe_blocking_fraud_types: Annotated[tuple[FraudType, ...], NoDecode, CommaSeparated] = Field(
        default=STOLEN_MEANS_OF_PAYMENT,
        validation_alias="STRIPE_BLOCKING_FRAUD_TYPES",
        description="types in small letters and _, comma-separated",
    )

    @field_validator("paypal_webhook_ids")
    @classmethod
    def _require_paypal_credentials(
        cls, webhook_ids: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        if not webhook_ids:
            return webhook_ids
        if SIMULATED_EVENTS_WEBHOOK_ID in webhook_ids and _is_live(info):
            raise ValueError(
                f"{SIMULATED_EVENTS_WEBHOOK_ID} is what anybody can let PayPal sign events for"
            )
        credentials = [info.data.get(f"paypal_client_{part}") for part in ("id", "secret")]
        if any(each is not None and len(each) == 0 for each in credentials):
            raise ValueError("expected PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET with them")
        return webhook_ids

    @field_validator("stripe_webhook_secrets")
    @classmethod
    def _require_a_provider(
        cls, secrets: tuple[SecretStr, ...], info: ValidationInfo
    ) -> tuple[SecretStr, ...]:
        if not secrets and info.data.get("paypal_webhook_ids") == ():
            raise ValueError("expected them, or PAYPAL_WEBHOOK_IDS: no provider could be heard")
        if not all(STRIPE_WEBHOOK_SECRET.fullmatch(each) for each in reveal(secrets)):
            raise ValueError("expected whsec_…, as Stripe shows them")
        return secrets

    @field_validator("stripe_api_key")
    @classmethod
    def _require_key_of_mode(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        """With a key of the other mode, what was paid by a test card would be credited as money."""
        form = STRIPE_API_KEY.fullmatch(key.get_secret_value())
        if form is None:
            raise ValueError("expected sk_… or rk_…, as Stripe shows it")
        is_live = info.data.get("stripe_livemode")
        if form[1] and is_live is not None and (form[1] == "live") is not is_live:
            raise ValueError(f"a {form[1]} key, but STRIPE_LIVEMODE is {str(is_live).lower()}")
        return key

    @property
    def plans(self) -> dict[str, PlanCredit]:
        """What each listed plan credits."""
        return {plan_id: _plan_credit(setting) for plan_id, setting in self.plan_credits.items()}


def _plan_credit(setting: PlanSetting) -> PlanCredit:
    if isinstance(setting, AllowanceSetting):
        return CreditAllowance(setting.allowance_micros, setting.currency_code)
    return CreditNothing() if setting == "nothing" else CreditAmountPaid()


def _is_live(info: ValidationInfo) -> bool:
    return info.data.get("paypal_environment") != "sandbox"


def reveal(secrets: tuple[SecretStr, ...]) -> tuple[str, ...]:
    """Return the secrets themselves, for the one who must use them."""
    return tuple(secret.get_secret_value() for secret in secrets)
