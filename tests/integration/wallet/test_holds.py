"""Holds on the wire: what is told of them, and what time does to them."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from libs.rpc.times import to_timestamp
from services.wallet.app import build
from tests.integration.wallet.commands import changed
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import capture, place
from tests.integration.wallet.requests import (
    ORGANIZATION,
    credit,
    entries_of,
    open_wallet,
    wallet_now,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.wallet.v1 import hold_pb2, wallet_pb2
from tollgate.wallet.v1.wallet_service_holds_pb2 import (
    CaptureHoldRequest,
    GetHoldRequest,
    ListHoldsRequest,
)
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

TEXT, METADATA = "SMS to +1 555 0100", {"campaign": "spring", "empty": ""}
LATE_WINDOW = timedelta(hours=72)


async def hold_now(wallet: WalletServiceStub, reference_id: str) -> hold_pb2.Hold:
    request = GetHoldRequest(organization_id=ORGANIZATION, hold_reference_id=reference_id)
    return (await wallet.GetHold(request)).hold


async def open_with_money(wallet: WalletServiceStub) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000, "in"))


async def test_a_hold_tells_what_it_was_placed_with_and_how_long_it_is_good_for(
    wallet: WalletServiceStub,
) -> None:
    await open_with_money(wallet)
    request = changed(place(100, "msg-1"), description=TEXT, metadata=METADATA)
    placed = (await wallet.PlaceHold(request)).hold
    ends = placed.create_time.ToDatetime(UTC) + timedelta(hours=1)
    assert placed == hold_pb2.Hold(
        organization_id=ORGANIZATION,
        reference_id="msg-1",
        amount_micros=100,
        remaining_micros=100,
        currency_code="USD",
        state=hold_pb2.HOLD_STATE_OPEN,
        expire_time=to_timestamp(ends),
        late_capture_end_time=to_timestamp(ends + LATE_WINDOW),
        description=TEXT,
        metadata=METADATA,
        create_time=placed.create_time,
        update_time=placed.create_time,
    )
    assert await hold_now(wallet, "msg-1") == placed
    listed = await wallet.ListHolds(ListHoldsRequest(organization_id=ORGANIZATION))
    assert list(listed.holds) == [placed]
    assert (await wallet.PlaceHold(request)).hold == placed
    (entry,) = await entries_of(wallet, type=wallet_pb2.ENTRY_TYPE_HOLD)
    assert (entry.description, dict(entry.metadata)) == (TEXT, METADATA)
    assert (entry.reference_id, entry.hold_reference_id) == ("msg-1", "msg-1")


async def test_a_capture_keeps_what_the_hold_was_placed_with(wallet: WalletServiceStub) -> None:
    await open_with_money(wallet)
    await wallet.PlaceHold(changed(place(100, "msg-1"), description=TEXT, metadata=METADATA))
    captured = await wallet.CaptureHold(capture(30, "msg-1"))
    assert (captured.hold.description, dict(captured.hold.metadata)) == (TEXT, METADATA)
    assert captured.hold == await hold_now(wallet, "msg-1")
    assert [entry.description for entry in captured.entries] == ["", ""]
    assert [dict(entry.metadata) for entry in captured.entries] == [{"final": "true"}, {}]


def late_capture(number: int) -> CaptureHoldRequest:
    return changed(capture(1, "msg-1"), final=False, reference_id=f"late-{number}")


async def test_a_hold_is_captured_late_until_the_time_that_it_tells(
    database: ServiceDatabase,
) -> None:
    settings = wallet_settings(database, hold_late_window_seconds=2.0)
    async with running(await build(settings)) as channel:
        wallet = WalletServiceStub(channel)
        await open_with_money(wallet)
        hold = (await wallet.PlaceHold(changed(place(900, "msg-1"), ttl=Duration(seconds=1)))).hold
        ends = hold.late_capture_end_time.ToDatetime(UTC)
        assert ends - hold.expire_time.ToDatetime(UTC) == timedelta(seconds=2)
        await eventually(
            lambda: hold_now(wallet, "msg-1"), lambda now: now.state == hold_pb2.HOLD_STATE_EXPIRED
        )
        captured = await wallet.CaptureHold(late_capture(0))
        assert captured.hold.late_capture_end_time == hold.late_capture_end_time
        assert captured.entries[0].create_time.ToDatetime(UTC) < ends
        await eventually(lambda: wallet_now(wallet), lambda _: datetime.now(UTC) > ends)
        assert (await refusal(wallet.CaptureHold(late_capture(1)))).reason == "HOLD_NOT_OPEN"
        assert (await wallet_now(wallet)).balance_micros == 999
