"""What a wallet cannot do, as it stands: refused with its reason, and nothing changed."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tests.integration.wallet.commands import CAPTURE, FINE, NOON, PAYMENT, changed, send
from tests.integration.wallet.ledgers import HOUR, capture, contents, payment, place, write_story
from tests.integration.wallet.requests import ORGANIZATION, credit, debit
from tests.support.errors import refusal
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_holds_pb2 import ReleaseHoldRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
IN_EUROS = ("CreateWallet", "Debit", "Credit", "ApplyPayment", "AdjustBalance", "PlaceHold")
WITHOUT_A_WALLET = {"CreateWallet", "BatchDebit", "ApplyPayment", "ListHolds", "ListEntries"} | {
    "ListAnnouncements",
    "ListAnomalies",
}
OF_A_WALLET = [
    name for name, fine in FINE.items() if "organization_id" in fine.DESCRIPTOR.fields_by_name
]
# As `write_story` has told it.
LEVEL = payment(2, 500, 100, 50)


def capture_again(amount_micros: int, hold_reference_id: str, **values: Any) -> Message:
    return changed(capture(amount_micros, hold_reference_id), reference_id="again", **values)


CANNOT: dict[str, list[tuple[str, Message]]] = {
    "CURRENCY_MISMATCH": [(name, changed(FINE[name], currency_code="EUR")) for name in IN_EUROS],
    "WALLET_NOT_FOUND": [
        (name, changed(FINE[name], organization_id="nobody"))
        for name in OF_A_WALLET
        if name not in WITHOUT_A_WALLET
    ],
    "BALANCE_LIMIT_EXCEEDED": [
        ("Credit", credit(INT64_MAX, "new")),
        ("ApplyPayment", changed(PAYMENT, credited_micros=INT64_MAX)),
        ("ApplyPayment", changed(PAYMENT, at_risk_micros=INT64_MAX)),
        ("AdjustBalance", changed(FINE["AdjustBalance"], delta_micros=INT64_MAX)),
    ],
    "INSUFFICIENT_FUNDS": [
        ("Debit", debit(INT64_MAX, "new")),
        ("PlaceHold", place(INT64_MAX, "new")),
        ("AdjustBalance", changed(FINE["AdjustBalance"], delta_micros=INT64_MIN)),
        # One more than is available.
        ("Debit", debit(1_191, "new")),
        ("PlaceHold", place(1_191, "new")),
        ("AdjustBalance", changed(FINE["AdjustBalance"], delta_micros=-1_191)),
    ],
    "CAPTURE_EXCEEDS_HOLD": [
        ("CaptureHold", capture(101, "hold-1")),
        ("CaptureHold", capture(INT64_MAX, "hold-1")),
    ],
    "HOLD_NOT_OPEN": [
        ("CaptureHold", capture_again(1, "hold-0")),
        ("CaptureHold", capture_again(1_000, "hold-0", allow_excess=True)),
        ("ReleaseHold", changed(FINE["ReleaseHold"], hold_reference_id="hold-0")),
    ],
    "HOLD_NOT_FOUND": [
        ("CaptureHold", capture(1, "hold-9")),
        ("ReleaseHold", changed(FINE["ReleaseHold"], hold_reference_id="hold-9")),
    ],
    "REFERENCE_CONFLICT": [
        ("CaptureHold", changed(capture(100, "hold-1"), reference_id="hold-1")),
        ("ApplyPayment", payment(2, 501, 100, 50)),
        ("ApplyPayment", payment(2, 500, 101, 50)),
        ("ApplyPayment", payment(2, 500, 100, 51)),
        ("ApplyPayment", changed(LEVEL, blocks_spending=True)),
    ],
    "INVALID_ARGUMENT": [
        ("ApplyPayment", payment(3, 500, 501)),
        ("UpdateWallet", changed(FINE["UpdateWallet"], depleted_below_micros=2)),
        *(
            (name, changed(FINE[name], reason=wallet_pb2.FREEZE_REASON_SUBSCRIPTION_INACTIVE))
            for name in ("FreezeWallet", "UnfreezeWallet")
        ),
        ("ListEntries", changed(FINE["ListEntries"], organization_id=None)),
        ("GetLedgerStatistics", changed(FINE["GetLedgerStatistics"], end_time=NOON)),
    ],
}


@pytest.mark.parametrize("reason", CANNOT)
async def test_what_cannot_be_done_is_refused_with_its_reason(
    unchanged: WalletServiceStub, reason: str
) -> None:
    for name, request in CANNOT[reason]:
        found = await refusal(send(unchanged, name, request))
        assert found.reason == reason, (name, request)


async def test_a_level_that_is_old_or_known_changes_nothing(unchanged: WalletServiceStub) -> None:
    for level in (payment(1, 500), payment(1, 0, 0, INT64_MAX), LEVEL):
        response = await unchanged.ApplyPayment(level)
        assert (response.stored_revision, len(response.entries)) == (2, 0)


async def test_a_hold_that_was_released_is_captured_no_more(wallet: WalletServiceStub) -> None:
    await write_story(wallet)
    await wallet.ReleaseHold(
        ReleaseHoldRequest(organization_id=ORGANIZATION, hold_reference_id="hold-1")
    )
    for request in (capture(1, "hold-1"), changed(capture(1, "hold-1"), allow_excess=True)):
        found = await refusal(wallet.CaptureHold(request))
        assert (found.reason, found.metadata["state"]) == ("HOLD_NOT_OPEN", "RELEASED")


async def test_what_was_captured_never_passes_int64(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await wallet.CaptureHold(CAPTURE)
    before = await contents(superuser)
    everything = changed(CAPTURE, reference_id="all", amount_micros=INT64_MAX, allow_excess=True)
    assert (await refusal(wallet.CaptureHold(everything))).reason == "BALANCE_LIMIT_EXCEEDED"
    assert await contents(superuser) == before


# Of what carries a reference, each field with something else in it.
OTHER_VALUES: dict[str, Any] = {
    "amount_micros": 2,
    "delta_micros": 2,
    "currency_code": "EUR",
    "description": "another",
    "metadata": {"another": "one"},
    "justification": "another",
    "actor": "another",
    "type": wallet_service_pb2.CREDIT_TYPE_REFUND,
    "ttl": Duration(seconds=HOUR.seconds + 1),
    "hold_reference_id": "hold-0",
    "final": True,
    "allow_excess": True,
}
REFERENCED = ("Debit", "Credit", "AdjustBalance", "PlaceHold", "CaptureHold")


@pytest.mark.parametrize("name", REFERENCED)
async def test_a_reference_with_any_other_field_is_a_conflict_that_names_it(
    wallet: WalletServiceStub, superuser: Any, name: str
) -> None:
    await write_story(wallet)
    fine: Any = FINE[name]
    await getattr(wallet, name)(fine)
    before = await contents(superuser)
    for field in {field.name for field in fine.DESCRIPTOR.fields} - {
        "organization_id",
        "reference_id",
    }:
        request = changed(fine, **{field: OTHER_VALUES[field]})
        found = await refusal(getattr(wallet, name)(request))
        assert found.reason == "REFERENCE_CONFLICT"
        assert found.metadata["differingFields"] == field
    for other in {*REFERENCED} - {name}:
        request = changed(FINE[other], reference_id=fine.reference_id)
        assert (await refusal(getattr(wallet, other)(request))).reason == "REFERENCE_CONFLICT"
    assert (await getattr(wallet, name)(fine)).replayed
    assert await contents(superuser) == before
