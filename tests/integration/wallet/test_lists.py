"""ListWallets and ListHolds: every filter, and pages that hold each item once."""

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from libs.paging import EPOCH, encode_page_token, time_to_key
from libs.rpc.times import to_timestamp
from services.wallet.app import build
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import capture, payment, place
from tests.integration.wallet.requests import (
    ORGANIZATION,
    create,
    credit,
    debit,
    open_wallet,
    standing,
    wallet_now,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import hold_pb2, wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_holds_pb2 import (
    GetHoldRequest,
    ListHoldsRequest,
    ReleaseHoldRequest,
)
from tollgate.wallet.v1.wallet_service_pb2 import ListWalletsRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

HOUR_SECONDS = 3600.0
DISPUTE = wallet_pb2.FREEZE_REASON_DISPUTE
OPERATOR = wallet_pb2.FREEZE_REASON_OPERATOR
INACTIVE = wallet_pb2.FREEZE_REASON_SUBSCRIPTION_INACTIVE


def token_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


async def freeze(
    wallet: WalletServiceStub, organization_id: str, reason: wallet_pb2.FreezeReason.ValueType
) -> None:
    await wallet.FreezeWallet(
        wallet_service_pb2.FreezeWalletRequest(organization_id=organization_id, reason=reason)
    )


@pytest.fixture
async def wallets(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> WalletServiceStub:
    """Wallets in every state, made in another order than that of their names."""
    await subscriptions.ReportSubscription(standing(1, None, "g-unopened"))
    for organization_id in ("e-twice", "d-disputed", "f-inactive", "b-funded"):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(1_000, "in", organization_id))
    for organization_id in ("d-disputed", "e-twice"):
        await freeze(wallet, organization_id, DISPUTE)
    await freeze(wallet, "e-twice", OPERATOR)
    await subscriptions.ReportSubscription(standing(1, None, "f-inactive"))
    for organization_id in ("c-owing", "a-empty"):
        await open_wallet(wallet, organization_id)
    await wallet.ApplyPayment(payment(1, 100, organization_id="c-owing"))
    await wallet.Debit(debit(100, "msg-1", "c-owing"))
    await wallet.ApplyPayment(payment(2, 100, 30, organization_id="c-owing"))
    return wallet


async def wallets_listed(
    wallet: WalletServiceStub, wanted: ListWalletsRequest, page_size: int = 0
) -> list[wallet_pb2.Wallet]:
    """Return all wallets that are wanted, page by page."""
    listed: list[wallet_pb2.Wallet] = []
    request = ListWalletsRequest()
    request.CopyFrom(wanted)
    request.page_size = page_size
    while True:
        response = await wallet.ListWallets(request)
        assert len(response.wallets) <= (page_size or 50)
        listed += response.wallets
        request.page_token = response.next_page_token
        if not request.page_token:
            return listed


def names(wallets: Sequence[wallet_pb2.Wallet]) -> str:
    return " ".join(each.organization_id for each in wallets)


EVERYONE = "a-empty b-funded c-owing d-disputed e-twice f-inactive"


@pytest.mark.parametrize(
    ("wanted", "organization_ids"),
    [
        (ListWalletsRequest(), EVERYONE),
        (ListWalletsRequest(frozen=True), "d-disputed e-twice f-inactive"),
        (ListWalletsRequest(frozen=False), "a-empty b-funded c-owing"),
        (ListWalletsRequest(owing=True), "c-owing"),
        (ListWalletsRequest(owing=False), EVERYONE.replace("c-owing ", "")),
        (ListWalletsRequest(depleted=True), "a-empty c-owing"),
        (ListWalletsRequest(depleted=False), "b-funded d-disputed e-twice f-inactive"),
        (ListWalletsRequest(depleted=True, owing=False), "a-empty"),
        (ListWalletsRequest(freeze_reason=DISPUTE), "d-disputed e-twice"),
        (ListWalletsRequest(freeze_reason=OPERATOR), "e-twice"),
        (ListWalletsRequest(freeze_reason=INACTIVE), "f-inactive"),
        (ListWalletsRequest(freeze_reason=wallet_pb2.FREEZE_REASON_INTEGRITY), ""),
        (ListWalletsRequest(freeze_reason=DISPUTE, frozen=True), "d-disputed e-twice"),
        (ListWalletsRequest(freeze_reason=DISPUTE, frozen=False), ""),
        (ListWalletsRequest(freeze_reason=DISPUTE, depleted=True), ""),
    ],
)
async def test_wallets_are_listed_by_every_filter(
    wallets: WalletServiceStub, wanted: ListWalletsRequest, organization_ids: str
) -> None:
    for page_size in (0, 1, 2, 500):
        assert names(await wallets_listed(wallets, wanted, page_size)) == organization_ids


async def test_wallets_are_listed_by_how_long_they_have_been_frozen(
    wallets: WalletServiceStub,
) -> None:
    frozen = await wallets_listed(wallets, ListWalletsRequest(frozen=True))
    since = {each.organization_id: each.freezes[0].create_time for each in frozen}
    operators = frozen[1].freezes[1].create_time
    long_ago = to_timestamp(datetime(2000, 1, 1, tzinfo=UTC))

    async def before(**wanted: object) -> str:
        request = ListWalletsRequest(**wanted)  # type: ignore[arg-type]
        return names(await wallets_listed(wallets, request, 1))

    assert await before(frozen_before=long_ago) == ""
    # Before the very time: not the one of that time.
    assert await before(frozen_before=since["e-twice"]) == "d-disputed"
    assert await before(frozen_before=operators) == "d-disputed e-twice"
    assert await before(frozen_before=operators, freeze_reason=OPERATOR) == ""
    assert await before(frozen_before=operators, freeze_reason=DISPUTE) == "d-disputed e-twice"
    later = to_timestamp(datetime.now(UTC) + timedelta(seconds=1))
    assert await before(frozen_before=later) == "d-disputed e-twice f-inactive"
    assert await before(frozen_before=later, frozen=False) == ""


async def test_a_listed_wallet_is_the_one_that_is_got(wallets: WalletServiceStub) -> None:
    listed = await wallets_listed(wallets, ListWalletsRequest())
    for each in listed:
        request = wallet_service_pb2.GetWalletRequest(organization_id=each.organization_id)
        assert (await wallets.GetWallet(request)).wallet == each


async def test_wallets_are_chosen_by_what_is_told_of_them(database: ServiceDatabase) -> None:
    """Of news that has expired, too, before anybody has acted on it."""
    settings = wallet_settings(database, poll_interval_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel:
        wallet = WalletServiceStub(channel)
        await open_wallet(wallet)
        soon = datetime.now(UTC) + timedelta(seconds=0.2)
        await SubscriptionObserverServiceStub(channel).ReportSubscription(standing(1, soon))
        await eventually(lambda: wallet_now(wallet), lambda found: found.frozen)
        for frozen in (True, False):
            listed = await wallets_listed(wallet, ListWalletsRequest(frozen=frozen))
            assert [each.frozen for each in listed] == [frozen] * len(listed)


MADE_UP = [
    "made up",
    "\u00e9",
    token_of("org-1"),
    token_of([]),
    token_of([1]),
    token_of(["org-1", "hold-1"]),
    token_of([None, "hold-1"]),
    token_of(["nul\0"]),
    token_of([1, "nul\0"]),
    token_of([-1, "hold-1"]),
    token_of([2**63, "hold-1"]),
    token_of([2**63 - 1, "hold-1"]),
    token_of([1.5, "hold-1"]),
    token_of([True, "hold-1"]),
    "A" * 900,
    "A" * 2_000,
]


@pytest.mark.parametrize("token", MADE_UP)
async def test_a_made_up_page_token_is_refused(wallet: WalletServiceStub, token: str) -> None:
    await open_wallet(wallet)
    holds = ListHoldsRequest(organization_id=ORGANIZATION, page_token=token)
    for call in (
        wallet.ListWallets(ListWalletsRequest(page_token=token)),
        wallet.ListHolds(holds),
    ):
        found = await refusal(call)
        assert (found.code, found.reason, found.fields) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_ARGUMENT",
            ["page_token"],
        )


async def test_a_page_token_of_anywhere_is_answered(wallet: WalletServiceStub) -> None:
    """Nobody can tell a token that was guessed well from one that was given out."""
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000, "in"))
    await wallet.PlaceHold(place(1, "hold-1"))
    for time, found in ((EPOCH, 0), (datetime.max.replace(tzinfo=UTC), 1)):
        token = encode_page_token(time_to_key(time), "hold")
        holds = ListHoldsRequest(organization_id=ORGANIZATION, page_token=token)
        assert len((await wallet.ListHolds(holds)).holds) == found
    for organization_id, found in (("", 1), ("org-0", 1), ("org-1", 0)):
        token = encode_page_token(organization_id)
        assert (
            len((await wallet.ListWallets(ListWalletsRequest(page_token=token))).wallets) == found
        )


async def holds_listed(
    wallet: WalletServiceStub,
    state: hold_pb2.HoldState.ValueType = hold_pb2.HOLD_STATE_UNSPECIFIED,
    page_size: int = 0,
) -> list[hold_pb2.Hold]:
    """Return all holds in a state, page by page."""
    listed: list[hold_pb2.Hold] = []
    request = ListHoldsRequest(organization_id=ORGANIZATION, state=state, page_size=page_size)
    while True:
        response = await wallet.ListHolds(request)
        assert len(response.holds) <= (page_size or 50)
        listed += response.holds
        request.page_token = response.next_page_token
        if not request.page_token:
            return listed


def age(hold: hold_pb2.Hold) -> tuple[int, str]:
    return hold.create_time.ToMicroseconds(), hold.reference_id


@pytest.fixture
async def holds(wallet: WalletServiceStub) -> WalletServiceStub:
    """Holds in every state, placed one after the other, and some at the same moment."""
    for organization_id in (ORGANIZATION, "org-2"):
        await wallet.CreateWallet(create(organization_id))
        await wallet.Credit(credit(1_000, "in", organization_id))
        await wallet.PlaceHold(place(1, "z-first", organization_id))
    for state in ("captured", "released", "expired"):
        requests = [place(1, f"{state}-{number}") for number in (2, 3, 1)]
        if state == "expired":
            for request in requests:
                request.ttl.CopyFrom(Duration(seconds=1))
        await asyncio.gather(*(wallet.PlaceHold(request) for request in requests))
    await wallet.PlaceHold(place(1, "a-last"))
    for number in (3, 1, 2):
        await wallet.CaptureHold(capture(1, f"captured-{number}"))
        await wallet.ReleaseHold(
            ReleaseHoldRequest(organization_id=ORGANIZATION, hold_reference_id=f"released-{number}")
        )
    await eventually(
        lambda: holds_listed(wallet, hold_pb2.HOLD_STATE_EXPIRED), lambda found: len(found) == 3
    )
    return wallet


async def test_holds_are_listed_newest_first_by_state(holds: WalletServiceStub) -> None:
    everything = await holds_listed(holds)
    assert everything == sorted(everything, key=age, reverse=True)
    assert [everything[0].reference_id, everything[-1].reference_id] == ["a-last", "z-first"]
    kinds = [hold.reference_id.partition("-")[0] for hold in everything]
    assert sorted(kinds) == ["a", *["captured"] * 3, *["expired"] * 3, *["released"] * 3, "z"]
    for state in hold_pb2.HoldState.values():
        expected = [hold for hold in everything if state in (0, hold.state)]
        assert len(expected) == (11 if not state else 2 if state == 1 else 3)
        for page_size in (0, 1, 2, 3, 500):
            assert await holds_listed(holds, state, page_size) == expected


async def test_a_listed_hold_is_the_one_that_is_got(holds: WalletServiceStub) -> None:
    for hold in await holds_listed(holds):
        request = GetHoldRequest(organization_id=ORGANIZATION, hold_reference_id=hold.reference_id)
        assert (await holds.GetHold(request)).hold == hold


async def test_nobody_has_no_holds(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> None:
    await subscriptions.ReportSubscription(standing(1, None, "unopened"))
    await open_wallet(wallet)
    for organization_id in (ORGANIZATION, "unopened", "nobody"):
        response = await wallet.ListHolds(ListHoldsRequest(organization_id=organization_id))
        assert (list(response.holds), response.next_page_token) == ([], "")
