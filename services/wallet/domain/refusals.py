"""Why a command is refused: each refusal once, with what the caller needs to know."""

from collections.abc import Mapping

from libs.errors import DomainError, ErrorReason, invalid_field
from services.wallet.domain.values import FreezeReason, Hold, Wallet


def wallet_not_found(organization_id: str) -> DomainError:
    """Return the error for an organization without an opened wallet."""
    return DomainError(
        ErrorReason.WALLET_NOT_FOUND,
        "the organization has no wallet",
        organizationId=organization_id,
    )


def hold_not_found(hold_reference_id: str) -> DomainError:
    """Return the error for a hold that was never placed."""
    return DomainError(
        ErrorReason.HOLD_NOT_FOUND,
        "no hold was placed under this reference",
        holdReferenceId=hold_reference_id,
    )


def hold_not_open(hold: Hold) -> DomainError:
    """Return the error for a hold that is over."""
    return DomainError(
        ErrorReason.HOLD_NOT_OPEN,
        f"the hold is {hold.state}",
        holdReferenceId=hold.reference_id,
        state=hold.state,
    )


def capture_exceeds_hold(left_micros: int, amount_micros: int) -> DomainError:
    """Return the error for a capture of more than is left."""
    return DomainError(
        ErrorReason.CAPTURE_EXCEEDS_HOLD,
        "the hold does not have the amount",
        remainingMicros=left_micros,
        requestedMicros=amount_micros,
    )


def balance_limit_exceeded(wallet: Wallet, amount_micros: int) -> DomainError:
    """Return the error for sums that PostgreSQL's bigint cannot hold."""
    return DomainError(
        ErrorReason.BALANCE_LIMIT_EXCEEDED,
        "the wallet would pass the largest amount that can be kept",
        balanceMicros=wallet.funds.balance_micros,
        requestedMicros=amount_micros,
    )


def insufficient_funds(wallet: Wallet, amount_micros: int) -> DomainError:
    """Return the error for money that is not there."""
    return DomainError(
        ErrorReason.INSUFFICIENT_FUNDS,
        "the wallet does not hold the amount",
        availableMicros=wallet.funds.available_micros,
        requestedMicros=amount_micros,
    )


def reference_conflict(reference_id: str, differing: list[str]) -> DomainError:
    """Return the error for a reference that was used with other content."""
    return DomainError(
        ErrorReason.REFERENCE_CONFLICT,
        "the reference was used with other content",
        referenceId=reference_id,
        differingFields=",".join(differing),
    )


def require_same(reference_id: str, fields: Mapping[str, tuple[object, object]]) -> None:
    """Refuse a repetition whose fields, as (before, now), are not what they were."""
    differing = [name for name, (before, now) in fields.items() if before != now]
    if differing:
        raise reference_conflict(reference_id, differing)


def require_open(wallet: Wallet) -> None:
    """Refuse what needs an opened wallet."""
    if wallet.currency_code is None:
        raise wallet_not_found(wallet.organization_id)


def require_currency(wallet: Wallet, currency_code: str) -> None:
    """Refuse another currency than the wallet's."""
    if currency_code != wallet.currency_code:
        raise DomainError(
            ErrorReason.CURRENCY_MISMATCH,
            f"the wallet stands in {wallet.currency_code}",
            walletCurrencyCode=wallet.currency_code or "",
            requestedCurrencyCode=currency_code,
        )


def require_spendable(wallet: Wallet, amount_micros: int) -> None:
    """Refuse to spend from a frozen wallet, and what is not available."""
    if wallet.freezes:
        reasons = ",".join(wallet.freeze_reasons)
        raise DomainError(
            ErrorReason.WALLET_FROZEN, f"the wallet is frozen: {reasons}", freezeReasons=reasons
        )
    if amount_micros > wallet.funds.available_micros:
        raise insufficient_funds(wallet, amount_micros)


def require_callers_reason(reason: FreezeReason) -> None:
    """Refuse to let a caller set or lift what is derived."""
    if reason is FreezeReason.SUBSCRIPTION_INACTIVE:
        raise invalid_field(
            "reason", "is derived from the subscription; no caller sets or lifts it"
        )
