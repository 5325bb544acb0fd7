"""A fine request of each rpc that changes anything, to be spoiled."""

from typing import Any, TypeVar

from google.protobuf.message import Message

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
    wallet_service_holds_pb2,
    wallet_service_ledger_pb2,
    wallet_service_pb2,
)

MessageT = TypeVar("MessageT", bound=Message)

PAYMENT = payment(1, 10)
PAYMENT.payment_id = "stripe:pi_new"
CAPTURE = capture(1, "hold-1")
CAPTURE.final = False
# Each by itself can be carried out on the ledger of `write_story`.
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
}


def changed(fine: MessageT, **values: Any) -> MessageT:
    """Return a request with other values in it."""
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
        else:
            setattr(request, name, value)
    return request
