"""Every rule about an organization: what blocks it, and how its subaccounts must stand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.errors import DomainError, ErrorReason
from libs.levels import is_news
from services.telephony.domain.commands import (
    Command,
    LiftOperatorBlock,
    ObserveSubscription,
    ObserveWallet,
    Reevaluate,
    SetOperatorBlock,
)
from services.telephony.domain.values import (
    Blocker,
    ObservedState,
    OperatorBlock,
    Organization,
    Subaccount,
    SuspensionPolicy,
    WantedState,
)

# Whatever the policy is.
ALWAYS_SUSPENDING = frozenset(
    {Blocker.SUBSCRIPTION_INACTIVE, Blocker.WALLET_FROZEN, Blocker.OPERATOR_BLOCK}
)


def decide(
    organization: Organization, command: Command, policy: SuspensionPolicy, now: datetime
) -> Organization:
    """Return the organization after a command, or raise the DomainError that refuses it."""
    return _change(organization, command, now).settled_at(policy, now)


def _change(organization: Organization, command: Command, now: datetime) -> Organization:
    match command:
        case ObserveSubscription():
            news = is_news(organization.subscription, command.level)
            return replace(organization, subscription=command.level) if news else organization
        case ObserveWallet():
            news = is_news(organization.wallet, command.level)
            return replace(organization, wallet=command.level) if news else organization
        case SetOperatorBlock():
            block = OperatorBlock(command.note, command.actor, now)
            return replace(organization, operator_block=organization.operator_block or block)
        case LiftOperatorBlock():
            return replace(organization, operator_block=None)
        case Reevaluate():
            return organization
        case _:
            assert_never(command)


def blockers(organization: Organization, now: datetime) -> tuple[Blocker, ...]:
    """Return what keeps the organization from sending, in the order of Blocker."""
    subscription, wallet = organization.subscription, organization.wallet
    holds = {
        Blocker.SUBSCRIPTION_INACTIVE: subscription is not None
        and not subscription.is_good_at(now),
        Blocker.WALLET_FROZEN: wallet is not None and wallet.frozen,
        Blocker.WALLET_DEPLETED: wallet is not None and wallet.depleted,
        Blocker.DEBT_OWED: wallet is not None and wallet.owing_micros > 0,
        Blocker.OPERATOR_BLOCK: organization.operator_block is not None,
        Blocker.LEVELS_MISSING: organization.levels_missing,
    }
    return tuple(blocker for blocker in Blocker if holds.get(blocker))


def suspending_blockers(
    organization: Organization, policy: SuspensionPolicy, now: datetime
) -> frozenset[Blocker]:
    """Return those that not only keep it from sending but suspend its subaccounts."""
    wallet = organization.wallet
    depletion_end_time = policy.depletion_end_time(wallet)
    suspends = {
        Blocker.WALLET_DEPLETED: depletion_end_time is not None and depletion_end_time <= now,
        Blocker.DEBT_OWED: wallet is not None
        and wallet.owing_micros > policy.debt_tolerance_micros,
    }
    return frozenset(
        blocker
        for blocker in blockers(organization, now)
        if blocker in ALWAYS_SUSPENDING or suspends.get(blocker)
    )


def wanted_state(
    organization: Organization, policy: SuspensionPolicy, now: datetime
) -> WantedState | None:
    """Return how its subaccounts must stand; None leaves them as they are at Twilio."""
    if suspending_blockers(organization, policy, now):
        return WantedState.SUSPENDED
    return None if organization.levels_missing else WantedState.ACTIVE


def sending_blockers(
    organization: Organization, observed_states: Sequence[ObservedState], now: datetime
) -> tuple[Blocker, ...]:
    """Return what forbids sending with the subaccounts in scope. What is not known forbids."""
    living = [state for state in observed_states if state is not ObservedState.CLOSED]
    found = blockers(organization, now)
    if not living:
        return (*found, Blocker.SUBACCOUNT_MISSING)
    if any(state is not ObservedState.ACTIVE for state in living):
        return (*found, Blocker.SUBACCOUNT_NOT_ACTIVE)
    return found


def register(
    organization: Organization,
    brand_id: str,
    account_sid: str,
    policy: SuspensionPolicy,
    now: datetime,
) -> Subaccount:
    """Return a subaccount of which nothing is known but what is wanted of it."""
    wanted = wanted_state(organization, policy, now)
    return Subaccount(
        account_sid=account_sid,
        organization_id=organization.organization_id,
        brand_id=brand_id,
        wanted=wanted,
        observed=ObservedState.UNKNOWN,
        told=ObservedState.UNKNOWN,
        drift_time=now if wanted else None,
        last_error="",
        failing_time=None,
        attempt_count=0,
        next_attempt_time=now,
        claim_number=0,
        driving_claim_number=0,
        lease_end_time=None,
        recheck_time=None,
        observe_time=None,
        create_time=now,
    )


def normal_account_sid(account_sid: str) -> str:
    """Return the one spelling of an account's SID: its hex digits are the same in either case."""
    return f"AC{account_sid[2:].lower()}"


def require_same_registration(subaccount: Subaccount, organization_id: str, brand_id: str) -> None:
    """Refuse an account that was registered for somebody else, or for another brand."""
    account_sid = subaccount.account_sid
    if subaccount.organization_id != organization_id:
        raise DomainError(
            ErrorReason.ALREADY_LINKED,
            "the subaccount is another organization's",
            accountSid=account_sid,
        )
    if subaccount.brand_id != brand_id:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            "the subaccount was registered with other content",
            accountSid=account_sid,
            differingFields="brand_id",
        )


def subaccount_not_found(account_sid: str) -> DomainError:
    """Return the error for an account that nobody registered."""
    return DomainError(
        ErrorReason.SUBACCOUNT_NOT_FOUND, "there is no such subaccount", accountSid=account_sid
    )
