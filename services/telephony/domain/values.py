"""What the service knows: organizations with their levels, subaccounts, and how both stand."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from libs.levels import SubscriptionLevel, WalletLevel
from services.telephony.domain.aftermath import Aftermath


class ObservedState(StrEnum):
    """How a subaccount stands at Twilio. UNKNOWN: not asked yet, or a call's outcome is open."""

    UNKNOWN = "UNKNOWN"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class WantedState(StrEnum):
    """How a subaccount should stand. `closed` is not in it: it is irreversible at Twilio."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"

    @property
    def observed(self) -> ObservedState:
        """The state that Twilio shows once it is as wanted."""
        return ObservedState(self.value)


class Blocker(StrEnum):
    """Why an organization may not send."""

    SUBSCRIPTION_INACTIVE = "SUBSCRIPTION_INACTIVE"
    WALLET_FROZEN = "WALLET_FROZEN"
    WALLET_DEPLETED = "WALLET_DEPLETED"
    DEBT_OWED = "DEBT_OWED"
    OPERATOR_BLOCK = "OPERATOR_BLOCK"
    LEVELS_MISSING = "LEVELS_MISSING"
    SUBACCOUNT_MISSING = "SUBACCOUNT_MISSING"
    SUBACCOUNT_NOT_ACTIVE = "SUBACCOUNT_NOT_ACTIVE"
    TWILIO_UNAVAILABLE = "TWILIO_UNAVAILABLE"
    PARENT_SUSPENDED = "PARENT_SUSPENDED"


@dataclass(frozen=True, slots=True)
class OperatorBlock:
    """A person's word that an organization must not send."""

    note: str
    actor: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class SuspensionPolicy:
    """What the platform bears before it suspends. None of it lets anybody send."""

    # More than that is owed: suspended.
    debt_tolerance_micros: int = 0
    # Depleted for that long: suspended, for what comes in costs money too; None: never for that.
    suspend_depleted_after: timedelta | None = None

    def depletion_end_time(self, wallet: WalletLevel | None) -> datetime | None:
        """Return when a wallet that stays depleted suspends; None if it never does."""
        if self.suspend_depleted_after is None or wallet is None or not wallet.depleted:
            return None
        since = wallet.depleted_since
        return since and since + self.suspend_depleted_after


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization's row: its levels, and the operator's block."""

    organization_id: str
    operator_block: OperatorBlock | None = None
    subscription: SubscriptionLevel | None = None
    wallet: WalletLevel | None = None
    # When time alone will suspend it, for good news expires and a depletion is borne for a while.
    # None when it has, or never will.
    reevaluate_time: datetime | None = None

    @property
    def levels_missing(self) -> bool:
        """Somebody has not told yet how the organization stands."""
        return self.subscription is None or self.wallet is None

    def settled_at(self, policy: SuspensionPolicy, now: datetime) -> "Organization":
        """Return the organization with the time at which it must be looked at again."""
        level = self.subscription
        times = (
            level.good_until if level and level.good_standing else None,
            policy.depletion_end_time(self.wallet),
        )
        to_come = [time for time in times if time is not None and now < time]
        return replace(self, reevaluate_time=min(to_come, default=None))


@dataclass(frozen=True, slots=True)
class Subaccount:
    """One Twilio account of an organization: how it should stand, how it does, and who drives it.

    A claim gives one process the right to drive it until the lease ends. Only the latest claim may
    record what came of it.
    """

    account_sid: str
    organization_id: str
    brand_id: str
    wanted: WantedState | None
    observed: ObservedState
    # What came of the last call that is recorded; observed differs only while one is under way.
    told: ObservedState
    # Since when it is not as wanted.
    drift_time: datetime | None
    last_error: str
    # Since when calls have failed.
    failing_time: datetime | None
    attempt_count: int
    next_attempt_time: datetime | None
    claim_number: int
    # The last claim that was to drive it, and not to end what goes on after a suspension.
    driving_claim_number: int
    lease_end_time: datetime | None
    # When to look once more, because a call that was lost may have taken effect late.
    recheck_time: datetime | None
    observe_time: datetime | None
    create_time: datetime
    # While it stands suspended as wanted.
    aftermath: Aftermath | None = None

    @property
    def stopped(self) -> bool:
        """It stands suspended as wanted."""
        return self.wanted is WantedState.SUSPENDED and self.observed is ObservedState.SUSPENDED

    @property
    def drifted(self) -> bool:
        """Twilio is not known to stand as wanted."""
        return self.wanted is not None and self.observed not in (
            self.wanted.observed,
            ObservedState.CLOSED,
        )

    @property
    def urgent(self) -> bool:
        """It must be suspended and is not known to be."""
        return self.wanted is WantedState.SUSPENDED and self.drifted

    @property
    def is_driven(self) -> bool:
        """Somebody drives it, or did and died."""
        return self.lease_end_time is not None and self.claim_number == self.driving_claim_number

    def is_claimable_at(self, now: datetime) -> bool:
        """Tell whether something is to be done and nobody is at it."""
        due = self.next_attempt_time is not None and self.next_attempt_time <= now
        return due and self._is_free_at(now)

    def is_aftermath_claimable_at(self, now: datetime) -> bool:
        """Tell whether something may be left of a suspension and nobody is at it."""
        due = self.aftermath is not None and self.aftermath.due_time <= now
        return due and self._is_free_at(now)

    def _is_free_at(self, now: datetime) -> bool:
        return self.lease_end_time is None or self.lease_end_time <= now

    def is_held_by(self, claimed: "Subaccount") -> bool:
        """Tell whether a claim is the latest one and not recorded yet."""
        return self.claim_number == claimed.claim_number and self.lease_end_time is not None


@dataclass(frozen=True, slots=True)
class Standing:
    """A subaccount as it stands at some time, and what blocks its organization then, and who."""

    subaccount: Subaccount
    blockers: tuple[Blocker, ...]
    operator_block: OperatorBlock | None


@dataclass(frozen=True, slots=True)
class SubaccountFilter:
    """Which subaccounts; what is unset does not restrict."""

    organization_id: str = ""
    brand_id: str = ""
    drifted: bool | None = None
    failing: bool | None = None
    wanted: WantedState | None = None
    observed: ObservedState | None = None
    levels_missing: bool | None = None


class Work(StrEnum):
    """What a subaccount is claimed for."""

    # To be suspended.
    SUSPENSION = "SUSPENSION"
    # What goes on after a suspension is ended.
    AFTERMATH = "AFTERMATH"
    # Anything else: to be activated, or only looked at.
    REST = "REST"


@dataclass(frozen=True, slots=True)
class DueSearch:
    """Which subaccounts to claim, and whose are left aside."""

    work: Work
    held_up_organization_ids: list[str]
    limit: int
