"""A fine request of each rpc, to be spoiled."""

from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.wallet.ledgers import capture, payment, place
from tests.integration.wallet.requests import (
    ORGANIZATION,
    create,
    credit,
    debit,
    freeze,
    unfreeze,
)
from tollgate.wallet.v1 import (
    ledger_pb2,
    wallet_service_holds_pb2,
    wallet_service_ledger_pb2,
    wallet_service_pb2,
)
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

SERVICE = wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"]
MessageT = TypeVar("MessageT", bound=Message)

PAYMENT = payment(1, 10)
PAYMENT.payment_id = "stripe:pi_new"
CAPTURE = capture(1, "hold-1")
CAPTURE.final = False
NOON = Timestamp(seconds=1_772_366_400)
# They can be carried out on the ledger of `write_story`, one after the other.
FINE: dict[str, Message] = {
    "CreateWallet": create(),
    "UpdateWallet": wallet_service_pb2.UpdateWalletRequest(
        organization_id=ORGANIZATION, depleted_below_micros=1, resume_above_micros=1
    ),
    "Debit": debit(1, "new"),
    "BatchDebit": wallet_service_pb2.BatchDebitRequest(debits=[debit(1, "new-2")]),
    "Credit": credit(1, "new-3"),
    "ApplyPayment": PAYMENT,
    "AdjustBalance": wallet_service_pb2.AdjustBalanceRequest(
        organization_id=ORGANIZATION,
        delta_micros=1,
        currency_code="USD",
        reference_id="new-4",
        justification="ticket-1",
        actor="anna@example.com",
    ),
    "PlaceHold": place(1, "new-5"),
    "CaptureHold": CAPTURE,
    "ReleaseHold": wallet_service_holds_pb2.ReleaseHoldRequest(
        organization_id=ORGANIZATION, hold_reference_id="hold-1"
    ),
    "FreezeWallet": freeze(),
    "UnfreezeWallet": unfreeze(),
    "RepairWallet": wallet_service_ledger_pb2.RepairWalletRequest(
        organization_id=ORGANIZATION, justification="ticket-1", actor="anna@example.com"
    ),
    "GetWallet": wallet_service_pb2.GetWalletRequest(organization_id=ORGANIZATION),
    "ListWallets": wallet_service_pb2.ListWalletsRequest(),
    "GetHold": wallet_service_holds_pb2.GetHoldRequest(
        organization_id=ORGANIZATION, hold_reference_id="hold-1"
    ),
    "ListHolds": wallet_service_holds_pb2.ListHoldsRequest(organization_id=ORGANIZATION),
    "ListEntries": wallet_service_pb2.ListEntriesRequest(organization_id=ORGANIZATION),
    "GetBalanceAt": wallet_service_ledger_pb2.GetBalanceAtRequest(
        organization_id=ORGANIZATION, time=NOON
    ),
    "VerifyLedger": wallet_service_ledger_pb2.VerifyLedgerRequest(organization_id=ORGANIZATION),
    "GetTrialBalance": wallet_service_ledger_pb2.GetTrialBalanceRequest(currency_code="USD"),
    "GetLedgerStatistics": wallet_service_ledger_pb2.GetLedgerStatisticsRequest(
        start_time=NOON,
        end_time=Timestamp(seconds=NOON.seconds + 1),
        bucket=ledger_pb2.STATISTICS_BUCKET_HOUR,
        currency_code="USD",
    ),
    "GetOverview": wallet_service_pb2.GetOverviewRequest(),
    "ListAnnouncements": wallet_service_pb2.ListAnnouncementsRequest(organization_id=ORGANIZATION),
    "ListAnomalies": wallet_service_ledger_pb2.ListAnomaliesRequest(
        start_time=NOON, end_time=Timestamp(seconds=NOON.seconds + 1)
    ),
}


def changed(fine: MessageT, **values: Any) -> MessageT:
    """Return a request with other values in it; what is None is left out."""
    request = type(fine)()
    request.CopyFrom(fine)
    for name, value in values.items():
        request.ClearField(name)
        if isinstance(value, dict):
            getattr(request, name).update(value)
        elif isinstance(value, list):
            getattr(request, name).extend(value)
        elif isinstance(value, Message):
            getattr(request, name).CopyFrom(value)
        elif value is not None:
            setattr(request, name, value)
    return request


async def send(wallet: WalletServiceStub, name: str, request: Message) -> None:
    """Send a request, and read all that is answered."""
    call = getattr(wallet, name)(request)
    if SERVICE.methods_by_name[name].server_streaming:
        async for _ in call:
            pass
    else:
        await call
