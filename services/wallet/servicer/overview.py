"""The rpc that tells how all wallets stand."""

from typing import Any

from libs.announcing.messages import backlog_message
from libs.operating.servicer import long_transaction_messages
from libs.rpc.times import to_timestamp
from services.wallet.domain.overview import FreezeCount, LedgerCheck, RecentDebits
from services.wallet.domain.values import FreezeReason
from services.wallet.operations.overview import Overview
from services.wallet.servicer.base import Rpcs
from tollgate.wallet.v1 import overview_pb2, wallet_pb2, wallet_service_pb2


class OverviewRpcs(Rpcs):
    """Translates; decides nothing."""

    async def GetOverview(
        self, request: wallet_service_pb2.GetOverviewRequest, context: Any
    ) -> wallet_service_pb2.GetOverviewResponse:
        """Tell how all wallets stand."""
        overview = await self._parts.overview.read()
        return wallet_service_pb2.GetOverviewResponse(overview=_overview_message(overview))


def _overview_message(overview: Overview) -> overview_pb2.WalletOverview:
    counts = overview.counts
    return overview_pb2.WalletOverview(
        frozen_count=counts.frozen_count,
        freezes=[
            _freeze_message(reason, count)
            for reason, count in counts.freezes.items()
            if count.count
        ],
        owing_count=counts.owing_count,
        depleted_count=counts.depleted_count,
        announcements=[backlog_message(each) for each in overview.announcements],
        long_transactions=long_transaction_messages(overview.long_transactions),
        ledger_check=_ledger_check_message(overview.ledger_check),
        recent_debits=_recent_debits_message(overview.recent_debits),
    )


def _freeze_message(reason: FreezeReason, count: FreezeCount) -> overview_pb2.FreezeCount:
    return overview_pb2.FreezeCount(
        reason=wallet_pb2.FreezeReason.Value(f"FREEZE_REASON_{reason}"),
        count=count.count,
        oldest_time=to_timestamp(count.oldest_time),
        oldest_organization_id=count.oldest_organization_id,
    )


def _ledger_check_message(check: LedgerCheck) -> overview_pb2.LedgerCheck:
    return overview_pb2.LedgerCheck(
        last_round_time=to_timestamp(check.last_round_time),
        last_walk_time=to_timestamp(check.last_walk_time),
        doubts_its_keys=check.doubts_its_keys,
    )


def _recent_debits_message(recent: RecentDebits) -> overview_pb2.RecentDebits:
    return overview_pb2.RecentDebits(
        attempt_count=recent.attempt_count,
        insufficient_funds_count=recent.insufficient_funds_count,
        database_unavailable_count=recent.database_unavailable_count,
    )
