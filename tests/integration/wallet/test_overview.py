"""How all wallets stand, counted, against a state that the wallet's own rpcs have made."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.wallet.app import build
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.requests import (
    ORGANIZATION,
    credit,
    debit,
    fill_queue,
    freeze,
    many_debits,
    open_wallet,
    standing,
    unfreeze,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.locks import lock_waits, rows_locked
from tests.support.metrics import Shown, scrape
from tests.support.services import free_address, running
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import (
    overview_pb2,
    wallet_pb2,
    wallet_service_holds_pb2,
    wallet_service_pb2,
)
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


async def overview(wallet: WalletServiceStub) -> overview_pb2.WalletOverview:
    return (await wallet.GetOverview(wallet_service_pb2.GetOverviewRequest())).overview


def freezes(seen: overview_pb2.WalletOverview) -> dict[str, tuple[int, str]]:
    """Return how many there are of each reason that there is, and whose is the oldest."""
    return {
        wallet_pb2.FreezeReason.Name(each.reason).removeprefix("FREEZE_REASON_"): (
            each.count,
            each.oldest_organization_id,
        )
        for each in seen.freezes
    }


def payment(revision: int, reversed_micros: int) -> wallet_service_pb2.ApplyPaymentRequest:
    return wallet_service_pb2.ApplyPaymentRequest(
        organization_id="owes",
        payment_id="stripe:pi_1",
        revision=revision,
        currency_code="USD",
        credited_micros=10,
        reversed_micros=reversed_micros,
    )


async def test_wallets_are_counted_by_how_they_stand(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> None:
    seen = await overview(wallet)
    assert (seen.frozen_count, seen.owing_count, seen.depleted_count) == (0, 0, 0)
    assert not seen.freezes

    for name in (ORGANIZATION, "lapsed", "well", "empty"):
        await open_wallet(wallet, name)
    for name in (ORGANIZATION, "lapsed", "well"):
        await wallet.Credit(credit(10, "in", name))
    await wallet.ApplyPayment(payment(1, 0))
    await wallet.Debit(debit(10, "out", "owes"))
    await wallet.ApplyPayment(payment(2, 10))
    for reference_id in ("dispute-1", "dispute-2"):
        await wallet.FreezeWallet(freeze(reference_id))
    # Of the second, nobody has opened a wallet yet.
    for name in ("lapsed", "unopened"):
        await subscriptions.ReportSubscription(standing(1, None, name))

    seen = await overview(wallet)
    assert (seen.frozen_count, seen.owing_count, seen.depleted_count) == (2, 1, 2)
    assert freezes(seen) == {
        "DISPUTE": (1, ORGANIZATION),
        "SUBSCRIPTION_INACTIVE": (1, "lapsed"),
    }
    await wallet.UnfreezeWallet(unfreeze("dispute-1"))
    await wallet.UnfreezeWallet(unfreeze("dispute-2"))
    assert freezes(await overview(wallet)) == {"SUBSCRIPTION_INACTIVE": (1, "lapsed")}


async def test_the_oldest_freeze_is_told_with_its_wallet(wallet: WalletServiceStub) -> None:
    for name in ("b", ORGANIZATION, "a"):
        await open_wallet(wallet, name)
        request = wallet_service_pb2.FreezeWalletRequest(
            organization_id=name, reason=wallet_pb2.FREEZE_REASON_OPERATOR, note="a look"
        )
        response = await wallet.FreezeWallet(request)
        if name == "b":
            [first] = response.wallet.freezes
    [oldest] = (await overview(wallet)).freezes
    assert (oldest.count, oldest.oldest_organization_id) == (3, "b")
    assert oldest.oldest_time == first.create_time


async def spend(wallet: WalletServiceStub) -> None:
    """Spend 10 in all, by a debit that is repeated, a batch and a hold; and twice too much."""
    await open_wallet(wallet)
    await wallet.Credit(credit(10, "in"))
    for _ in range(2):
        await wallet.Debit(debit(4, "out"))
    await refusal(wallet.Debit(debit(7, "too-much")))
    debits = [debit(2, "more"), debit(5, "too-much"), debit(0, "nothing")]
    await wallet.BatchDebit(wallet_service_pb2.BatchDebitRequest(debits=debits))
    await wallet.PlaceHold(
        wallet_service_holds_pb2.PlaceHoldRequest(
            organization_id=ORGANIZATION,
            amount_micros=4,
            currency_code="USD",
            reference_id="hold",
            ttl=Duration(seconds=60),
        )
    )


async def test_debits_and_holds_are_counted_by_what_came_of_them(
    database: ServiceDatabase,
) -> None:
    address = free_address()
    settings = wallet_settings(database, metrics_address=address)
    async with running(await build(settings)) as channel:
        wallet = WalletServiceStub(channel)
        await spend(wallet)
        shown = await scrape(address)
        recent = (await overview(wallet)).recent_debits

    def count(kind: str, outcome: str) -> float | None:
        return shown.value("tollgate_debits_total", kind=kind, outcome=outcome)

    assert count("debit", "OK") == 3
    assert count("debit", "INSUFFICIENT_FUNDS") == 2
    assert count("debit", "DATABASE_UNAVAILABLE") == 0
    assert count("hold", "OK") == 1
    assert count("hold", "INSUFFICIENT_FUNDS") == 0
    assert (recent.attempt_count, recent.insufficient_funds_count) == (6, 2)
    assert recent.database_unavailable_count == 0
    assert shown.value("tollgate_wallet_batch_commands_sum") == 8
    assert shown.value("tollgate_wallet_queue_commands") == 0


async def test_what_is_refused_at_the_door_is_no_attempt(database: ServiceDatabase) -> None:
    address = free_address()
    narrow = {"queue_commands_max": 1_000, "queue_commands_per_wallet_max": 1_000}
    settings = wallet_settings(database, metrics_address=address, **narrow)
    async with running(await build(settings)) as channel:
        wallet = WalletServiceStub(channel)
        await open_wallet(wallet)
        async with rows_locked(database, [ORGANIZATION]):
            riding = asyncio.ensure_future(wallet.BatchDebit(many_debits("riding", 1)))
            await eventually(lambda: lock_waits(database), lambda count: count == 1)
            waiting = await fill_queue(wallet, ORGANIZATION, 600)
            shown = await scrape(address)
            recent = (await overview(wallet)).recent_debits
        await asyncio.gather(riding, waiting)
    outcome = {"kind": "debit", "outcome": "OVERLOADED"}
    assert shown.value("tollgate_debits_total", **outcome) == 600
    assert recent.attempt_count == 0
    assert shown.value("tollgate_wallet_queue_commands") == 600


async def test_what_waits_for_an_observer_is_counted_and_shown(
    database: ServiceDatabase,
) -> None:
    address = free_address()
    settings = wallet_settings(
        database, metrics_address=address, observers={"campaign": free_address()}
    )
    begin = datetime.now(UTC) - timedelta(seconds=1)
    async with running(await build(settings)) as channel:
        wallet = WalletServiceStub(channel)
        await open_wallet(wallet)

        async def backlog() -> tuple[str, str, int, Timestamp, bool]:
            [each] = (await overview(wallet)).announcements
            count, error = each.pending_count, each.last_error
            return each.level, each.observer, count, each.oldest_time, bool(error)

        level, observer, count, oldest_time, _ = await eventually(backlog, lambda seen: seen[4])
    assert (level, observer, count) == ("wallet", "campaign", 1)
    assert begin < oldest_time.ToDatetime(UTC) < datetime.now(UTC)


async def test_a_service_shows_what_it_counts_from_the_start(
    database: ServiceDatabase, channel: grpc.aio.Channel
) -> None:
    await open_wallet(WalletServiceStub(channel), "empty")
    address = free_address()
    settings = wallet_settings(
        database, metrics_address=address, observers={"campaign": free_address()}
    )

    async def shown() -> Shown:
        return await scrape(address)

    async with running(await build(settings)):
        seen = await eventually(
            shown, lambda seen: seen.value("tollgate_wallets", standing="depleted") is not None
        )
    assert [
        seen.value("tollgate_wallets", standing=standing)
        for standing in ("frozen", "owing", "depleted")
    ] == [0, 0, 1]
    assert seen.value("tollgate_wallet_freezes", reason="INTEGRITY") == 0
    assert seen.value("tollgate_oldest_wallet_freeze_seconds", reason="INTEGRITY") == 0
    line = {"level": "wallet", "observer": "campaign"}
    assert seen.value("tollgate_announcements_pending", **line) is not None
    assert seen.value("tollgate_oldest_announcement_seconds", **line) is not None
