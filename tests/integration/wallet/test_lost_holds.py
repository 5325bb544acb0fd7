"""Holds whose row somebody has deleted: what was done under their references stays done."""

from typing import Any

from tests.integration.wallet.ledgers import capture, place, repair
from tests.integration.wallet.requests import credit, open_wallet
from tollgate.wallet.v1 import hold_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


async def test_a_repetition_is_answered_although_its_hold_is_lost(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000, "in"))
    await wallet.PlaceHold(place(100, "hold"))
    captured = await wallet.CaptureHold(capture(30, "hold"))
    await superuser.execute("DELETE FROM holds")
    for is_repaired in (False, True):
        if is_repaired:
            await repair(wallet)
        placed_again = await wallet.PlaceHold(place(100, "hold"))
        captured_again = await wallet.CaptureHold(capture(30, "hold"))
        for answer in (placed_again, captured_again):
            assert answer.replayed
            assert answer.HasField("hold") is is_repaired
            assert answer.wallet.balance_micros == 970
        assert captured_again.entries == captured.entries
    assert captured_again.hold.state == hold_pb2.HOLD_STATE_CAPTURED
