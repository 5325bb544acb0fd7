"""The service's settings."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from libs.config import Address, ApiBase, EmptyIsNone, OwnerSettings, Seconds
from services.telephony.domain.aftermath import Endings
from services.telephony.domain.reconciling import ReconcileTiming
from services.telephony.domain.values import SuspensionPolicy

# Look, change, look again after a refusal; and as much time for the claim itself.
CALL_TIMES_IN_LEASE = 4


class TelephonySettings(OwnerSettings):
    """Read from the environment, prefix TELEPHONY_, but for Twilio's own names."""

    model_config = SettingsConfigDict(env_prefix="TELEPHONY_")

    listen_address: Address = "127.0.0.1:50053"
    metrics_address: Address = "127.0.0.1:9103"
    twilio_account_sid: str = Field(
        validation_alias="TWILIO_ACCOUNT_SID",
        pattern=r"^AC[0-9a-fA-F]{32}$",
        description="AC and 32 hex digits",
    )
    twilio_auth_token: SecretStr = Field(validation_alias="TWILIO_AUTH_TOKEN", min_length=1)
    twilio_api_base: ApiBase = Field(
        default="https://api.twilio.com", validation_alias="TWILIO_API_BASE"
    )
    # One is for suspensions only, so that activations cannot hold them up.
    twilio_concurrency: int = Field(default=5, ge=2, le=100)
    twilio_timeout_seconds: Seconds = 5.0
    twilio_back_off_max_seconds: Seconds = 30.0
    twilio_refused_back_off_max_seconds: Seconds = 300.0
    twilio_recheck_seconds: Seconds = 60.0
    twilio_sweep_seconds: Seconds = 3600.0
    end_calls: bool = True
    cancel_scheduled_messages: bool = True
    debt_tolerance_micros: int = Field(default=0, ge=0, lt=2**63)
    suspend_depleted_after_seconds: Annotated[Seconds | None, EmptyIsNone] = None

    @property
    def suspension_policy(self) -> SuspensionPolicy:
        """Return what is borne before subaccounts are suspended."""
        seconds = self.suspend_depleted_after_seconds
        return SuspensionPolicy(
            debt_tolerance_micros=self.debt_tolerance_micros,
            suspend_depleted_after=None if seconds is None else timedelta(seconds=seconds),
        )

    @property
    def endings(self) -> Endings | None:
        """Return what is ended after a suspension; None if nothing is."""
        if not (self.end_calls or self.cancel_scheduled_messages):
            return None
        return Endings(
            calls=self.end_calls,
            scheduled_messages=self.cancel_scheduled_messages,
            call_timeout_seconds=self.twilio_timeout_seconds,
            recheck_seconds=self.twilio_recheck_seconds,
            sweep_seconds=self.twilio_sweep_seconds,
        )

    @property
    def reconcile_timing(self) -> ReconcileTiming:
        """Return how long a claim holds, and when an open outcome is looked at again."""
        return ReconcileTiming(
            lease=timedelta(seconds=CALL_TIMES_IN_LEASE * self.twilio_timeout_seconds),
            recheck_delay=timedelta(seconds=self.twilio_recheck_seconds),
        )
