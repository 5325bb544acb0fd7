"""How all subaccounts stand, on the wire."""

from libs.operating.servicer import long_transaction_messages
from libs.rpc.times import to_timestamp
from services.telephony.domain.overview import StandingCount
from services.telephony.operations.overview import Overview
from services.telephony.servicer.messages import health_message
from tollgate.telephony.v1 import overview_pb2


def overview_message(overview: Overview) -> overview_pb2.TelephonyOverview:
    """Return an overview as it is told."""
    counts = overview.counts
    subaccounts, provisions = counts.subaccounts, counts.provisions
    return overview_pb2.TelephonyOverview(
        twilio=health_message(counts.twilio),
        drifted=_count_message(subaccounts.drifted),
        unsuspended=_count_message(subaccounts.unsuspended),
        failing=_count_message(subaccounts.failing),
        aftermath_failing=_count_message(subaccounts.aftermath_failing),
        open_provisions=_count_message(provisions.open),
        failing_provisions=_count_message(provisions.failing),
        blocked_organization_count=counts.blocked_organization_count,
        long_transactions=long_transaction_messages(overview.long_transactions),
    )


def _count_message(found: StandingCount) -> overview_pb2.StandingCount:
    return overview_pb2.StandingCount(
        count=found.count,
        oldest_time=to_timestamp(found.oldest_time),
        oldest_organization_id=found.oldest_organization_id,
    )
