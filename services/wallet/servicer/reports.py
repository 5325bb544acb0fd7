"""Rpcs that read the ledger by time, and sum it up."""

from datetime import UTC
from typing import Any

from libs.rpc.times import optional_time, to_timestamp
from services.wallet.domain.anomalies import Anomaly
from services.wallet.domain.filters import EntryFilter
from services.wallet.domain.reports import Bucket, BucketSize, require_int64
from services.wallet.servicer.base import Rpcs
from services.wallet.servicer.messages import (
    COUNTERPARTY_VALUES,
    ENTRY_TYPE_VALUES,
    entry_message,
    optional_entry_type,
)
from tollgate.wallet.v1 import (
    ledger_pb2,
    wallet_pb2,
    wallet_service_ledger_pb2,
    wallet_service_pb2,
)


class ReportRpcs(Rpcs):
    """Translates; decides nothing."""

    async def ListEntries(
        self, request: wallet_service_pb2.ListEntriesRequest, context: Any
    ) -> wallet_service_pb2.ListEntriesResponse:
        """List the ledger."""
        page = await self._parts.reports.list_entries(
            EntryFilter(
                organization_id=request.organization_id,
                start_time=optional_time(request, "start_time"),
                end_time=optional_time(request, "end_time"),
                type=optional_entry_type(request.type),
                reference_id=request.reference_id,
                payment_id=request.payment_id,
                actor=request.actor,
            ),
            request.page_size,
            request.page_token,
        )
        return wallet_service_pb2.ListEntriesResponse(
            entries=[entry_message(entry) for entry in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetBalanceAt(
        self, request: wallet_service_ledger_pb2.GetBalanceAtRequest, context: Any
    ) -> wallet_service_ledger_pb2.GetBalanceAtResponse:
        """Tell how a wallet stood."""
        entry = await self._parts.reports.find_entry_at(
            request.organization_id, request.time.ToDatetime(UTC)
        )
        if entry is None:
            return wallet_service_ledger_pb2.GetBalanceAtResponse()
        return wallet_service_ledger_pb2.GetBalanceAtResponse(
            balance_micros=entry.balance_after_micros,
            held_micros=entry.held_after_micros,
            owed_micros=entry.owed_after_micros,
            last_entry=entry_message(entry),
        )

    async def GetTrialBalance(
        self, request: wallet_service_ledger_pb2.GetTrialBalanceRequest, context: Any
    ) -> wallet_service_ledger_pb2.GetTrialBalanceResponse:
        """Sum up all wallets by account."""
        trial_balance = await self._parts.reports.trial_balance(request.currency_code)
        wallets = ledger_pb2.AccountTotal(
            account=wallet_pb2.COUNTERPARTY_ACCOUNT_WALLETS,
            total_micros=trial_balance.wallets_micros,
        )
        return wallet_service_ledger_pb2.GetTrialBalanceResponse(
            accounts=[
                wallets,
                *(
                    ledger_pb2.AccountTotal(
                        account=COUNTERPARTY_VALUES[account], total_micros=total_micros
                    )
                    for account, total_micros in trial_balance.accounts.items()
                ),
            ],
            sum_micros=trial_balance.sum_micros,
        )

    async def GetLedgerStatistics(
        self, request: wallet_service_ledger_pb2.GetLedgerStatisticsRequest, context: Any
    ) -> wallet_service_ledger_pb2.GetLedgerStatisticsResponse:
        """Count and sum up by hour or day."""
        size_name = ledger_pb2.StatisticsBucket.Name(request.bucket)
        buckets = await self._parts.reports.statistics(
            request.start_time.ToDatetime(UTC),
            request.end_time.ToDatetime(UTC),
            BucketSize(size_name.removeprefix("STATISTICS_BUCKET_")),
            request.currency_code,
        )
        return wallet_service_ledger_pb2.GetLedgerStatisticsResponse(
            buckets=[_bucket_message(bucket) for bucket in buckets]
        )

    async def ListAnomalies(
        self, request: wallet_service_ledger_pb2.ListAnomaliesRequest, context: Any
    ) -> wallet_service_ledger_pb2.ListAnomaliesResponse:
        """List what is allowed and looks strange."""
        found = await self._parts.reports.find_anomalies(
            request.organization_id,
            request.start_time.ToDatetime(UTC),
            request.end_time.ToDatetime(UTC),
        )
        return wallet_service_ledger_pb2.ListAnomaliesResponse(
            anomalies=[_anomaly_message(each) for each in found]
        )


def _anomaly_message(anomaly: Anomaly) -> wallet_service_ledger_pb2.Anomaly:
    kind = wallet_service_ledger_pb2.AnomalyKind.Value(f"ANOMALY_KIND_{anomaly.kind}")
    return wallet_service_ledger_pb2.Anomaly(
        kind=kind,
        organization_id=anomaly.organization_id,
        time=to_timestamp(anomaly.time),
        currency_code=anomaly.currency_code,
        amount_micros=require_int64(anomaly.amount_micros),
        usual_micros=require_int64(anomaly.usual_micros),
        reference_ids=anomaly.reference_ids,
    )


def _bucket_message(bucket: Bucket) -> ledger_pb2.LedgerBucket:
    return ledger_pb2.LedgerBucket(
        start_time=to_timestamp(bucket.start_time),
        type=ENTRY_TYPE_VALUES[bucket.type],
        counterparty_account=COUNTERPARTY_VALUES[bucket.counterparty_account],
        count=bucket.entry_count,
        total_micros=bucket.total_micros,
    )
