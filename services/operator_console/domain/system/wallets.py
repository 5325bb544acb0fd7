"""Rules about all wallets."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from services.operator_console.domain.findings import (
    CRITICAL,
    WARNING,
    Finding,
    age_seconds,
    name_of,
    span,
)
from services.operator_console.domain.organization.wallet import LONG_FROZEN_SECONDS
from services.operator_console.domain.system.case import SystemCase
from tollgate.wallet.v1 import overview_pb2, wallet_pb2

# Of so few attempts one poor customer makes more than the share.
ATTEMPTS_MIN: Final = 100
REFUSED_SHARE_MAX: Final = 0.05
ROUND_LATE_SECONDS: Final = 900.0
WALK_LATE_SECONDS: Final = 7 * 86_400.0


def broken_ledgers(case: SystemCase) -> Iterator[Finding]:
    """Tell of ledgers that do not prove themselves."""
    for freeze in _freezes(case, wallet_pb2.FREEZE_REASON_INTEGRITY):
        yield Finding(
            severity=CRITICAL,
            code="LEDGER_INTEGRITY",
            what=f"the ledgers of {freeze.count} wallets do not prove themselves, the first that "
            f"of {freeze.oldest_organization_id}",
            why="Something has changed the database behind the wallet's back. These wallets spend "
            "nothing until it is understood.",
            next_step=case.commands.call(
                "wallet", "VerifyLedger", organization_id=freeze.oldest_organization_id
            ),
            since_time=freeze.oldest_time,
        )


def doubted_keys(case: SystemCase) -> Iterator[Finding]:
    """Tell that rather the keys are wrong than so many wallets."""
    if case.overview.wallet.ledger_check.doubts_its_keys:
        yield Finding(
            severity=CRITICAL,
            code="LEDGER_CHECK_DOUBTS_KEYS",
            what="many wallets at once have seals that WALLET_CHAIN_KEYS do not explain",
            why="A process that writes has another key, or the key of older entries is missing in "
            "the setting. No wallet is frozen for it.",
            next_step=case.commands.call("wallet", "VerifyLedger"),
        )


def idle_ledger_check(case: SystemCase) -> Iterator[Finding]:
    """Tell that nobody proves wallets any more."""
    check = case.overview.wallet.ledger_check
    if not check.HasField("last_round_time"):
        return
    age = age_seconds(check.last_round_time, case.circumstances.now)
    if age > ROUND_LATE_SECONDS:
        yield Finding(
            severity=WARNING,
            code="LEDGER_CHECK_NOT_RUNNING",
            what=f"no round of the ledger check has ended for {span(age)}",
            why="What is changed behind the wallet's back is not found. See the wallet's log.",
            next_step=case.commands.check_health("wallet"),
            since_time=check.last_round_time,
        )


def overdue_walk(case: SystemCase) -> Iterator[Finding]:
    """Tell that wallets which nobody uses are not proved."""
    check = case.overview.wallet.ledger_check
    if not check.HasField("last_walk_time"):
        return
    age = age_seconds(check.last_walk_time, case.circumstances.now)
    if age > WALK_LATE_SECONDS:
        yield Finding(
            severity=WARNING,
            code="LEDGER_WALK_OVERDUE",
            what=f"the walk over all ledgers has not come to its end for {span(age)}",
            why="Wallets that nobody uses are proved by it alone.",
            by_itself="It goes on, a part in each round.",
            next_step=case.commands.call("wallet", "VerifyLedger"),
            since_time=check.last_walk_time,
        )


def refused_debits(case: SystemCase) -> Iterator[Finding]:
    """Tell that many ask to spend what they do not have."""
    debits = case.overview.wallet.recent_debits
    refused, attempts = debits.insufficient_funds_count, debits.attempt_count
    if attempts >= ATTEMPTS_MIN and refused > REFUSED_SHARE_MAX * attempts:
        yield Finding(
            severity=WARNING,
            code="DEBITS_REFUSED",
            what=f"{refused} of {attempts} debits of the last ten minutes were refused: "
            "INSUFFICIENT_FUNDS",
            why="Somebody sends without money, again and again: a sender that does not pause, or "
            "abuse.",
            by_itself="Nothing is charged; their campaigns are paused once they are depleted.",
            next_step=case.commands.call("wallet", "ListWallets", depleted=True),
        )


def unavailable_debits(case: SystemCase) -> Iterator[Finding]:
    """Tell that debits wait in vain."""
    count = case.overview.wallet.recent_debits.database_unavailable_count
    if count:
        yield Finding(
            severity=WARNING,
            code="LOCK_TIMEOUTS",
            what=f"{count} debits of the last ten minutes waited in vain for a lock or the "
            "database",
            why="Something holds a wallet's lock, or the database does not keep up.",
            by_itself="Nothing was done: senders try again with the same reference.",
            next_step=case.commands.operate("wallet", "ListLongTransactions"),
        )


def long_frozen_wallets(case: SystemCase) -> Iterator[Finding]:
    """Tell of freezes that everybody has forgotten."""
    for freeze in case.overview.wallet.freezes:
        age = age_seconds(freeze.oldest_time, case.circumstances.now)
        if freeze.count and age > LONG_FROZEN_SECONDS:
            reason = name_of(wallet_pb2.FreezeReason, freeze.reason)
            yield Finding(
                severity=WARNING,
                code="WALLET_FROZEN_LONG",
                what=f"{freeze.oldest_organization_id} is frozen for {span(age)}, {reason}",
                why="The customer should hear of it, or the account be closed.",
                next_step=case.commands.call(
                    "wallet",
                    "ListWallets",
                    freeze_reason=reason,
                    frozen_before=_days_ago(case, 7),
                ),
                since_time=freeze.oldest_time,
            )


def _freezes(case: SystemCase, reason: int) -> Iterator[overview_pb2.FreezeCount]:
    return (each for each in case.overview.wallet.freezes if each.reason == reason and each.count)


def _days_ago(case: SystemCase, days: int) -> str:
    return (case.circumstances.now - timedelta(days=days)).isoformat(timespec="seconds")
