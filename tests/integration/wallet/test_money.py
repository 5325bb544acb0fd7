"""Money through the whole wallet: channel, boundary, decision, PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc

from tests.integration.wallet.requests import (
    ORGANIZATION,
    create,
    credit,
    debit,
    entries_of,
    freeze,
    open_wallet,
    standing,
    unfreeze,
    wallet_now,
)
from tests.support.errors import refusal
from tests.support.searching import times
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ROUNDS = times(1000)
LANES = 4
OPENING_ROUNDS = times(200)


async def test_two_debits_of_the_whole_balance_never_both_succeed(
    wallet: WalletServiceStub,
) -> None:
    await asyncio.gather(*(race_in_one_wallet(wallet, f"org-{lane}") for lane in range(LANES)))


async def race_in_one_wallet(wallet: WalletServiceStub, organization_id: str) -> None:
    await open_wallet(wallet, organization_id)
    for number in range(ROUNDS // LANES):
        await wallet.Credit(credit(7_500, f"in-{number}", organization_id))
        answers = await asyncio.gather(
            wallet.Debit(debit(7_500, f"a-{number}", organization_id)),
            wallet.Debit(debit(7_500, f"b-{number}", organization_id)),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert [error.code() for error in refused] == [grpc.StatusCode.FAILED_PRECONDITION]
    request = wallet_service_pb2.GetWalletRequest(organization_id=organization_id)
    assert (await wallet.GetWallet(request)).wallet.balance_micros == 0


async def test_the_same_debit_many_times_at_once_is_charged_once(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(100_000, "in"))

    answers = await asyncio.gather(*(wallet.Debit(debit(100, "msg-1")) for _ in range(50)))

    assert len({answer.entry.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert (await wallet_now(wallet)).balance_micros == 99_900


async def test_a_retried_debit_hears_its_first_answer_although_the_wallet_is_empty_and_frozen(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(7_500, "in"))
    first = await wallet.Debit(debit(7_500, "msg-1"))
    await wallet.FreezeWallet(freeze())

    again = await wallet.Debit(debit(7_500, "msg-1"))

    assert again.entry == first.entry
    assert again.replayed
    assert not first.replayed


async def test_a_debit_whose_caller_went_away_is_answered_when_it_asks_again(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(7_500, "in"))
    call = wallet.Debit(debit(7_500, "msg-1"), timeout=0.002)
    try:
        await call
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: PT017 - or it was in time

    await wallet.Debit(debit(7_500, "msg-1"))

    assert (await wallet_now(wallet)).balance_micros == 0
    assert len(await entries_of(wallet, type=wallet_pb2.ENTRY_TYPE_DEBIT)) == 1


async def test_a_debit_on_a_frozen_wallet_is_refused_until_every_freeze_is_lifted(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(7_500, "in"))
    await wallet.FreezeWallet(freeze())
    await wallet.FreezeWallet(freeze("case-7"))
    await wallet.UnfreezeWallet(unfreeze())

    found = await refusal(wallet.Debit(debit(1, "msg-1")))

    assert found.reason == "WALLET_FROZEN"
    assert found.metadata == {"freezeReasons": "DISPUTE"}
    await wallet.UnfreezeWallet(unfreeze("case-7"))
    await wallet.Debit(debit(1, "msg-1"))


async def test_a_reference_with_another_amount_is_a_conflict(wallet: WalletServiceStub) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(10_000, "in"))
    await wallet.Debit(debit(7_500, "msg-1"))

    found = await refusal(wallet.Debit(debit(7_400, "msg-1")))

    assert found.code is grpc.StatusCode.ALREADY_EXISTS
    assert found.reason == "REFERENCE_CONFLICT"
    assert found.metadata == {"referenceId": "msg-1", "differingFields": "amount_micros"}
    assert (await wallet_now(wallet)).balance_micros == 2_500


async def test_a_wallet_created_at_the_moment_of_the_first_level_never_misses_it(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> None:
    for number in range(OPENING_ROUNDS):
        organization_id = f"org-{number}"
        await asyncio.gather(
            wallet.CreateWallet(create(organization_id)),
            subscriptions.ReportSubscription(standing(1, None, organization_id)),
        )
        answer = await wallet.GetWallet(
            wallet_service_pb2.GetWalletRequest(organization_id=organization_id)
        )
        assert answer.wallet.frozen


async def test_good_news_expires_without_anybody_calling(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(7_500, "in"))
    await subscriptions.ReportSubscription(standing(1, datetime.now(UTC) + timedelta(seconds=0.5)))
    await wallet.Debit(debit(1, "in-time"))

    await eventually(
        lambda: entries_of(wallet, type=wallet_pb2.ENTRY_TYPE_FREEZE), lambda found: len(found) == 1
    )
    assert (await refusal(wallet.Debit(debit(1, "late")))).reason == "WALLET_FROZEN"


async def test_an_old_or_doubled_level_changes_nothing_and_a_contradicting_one_is_refused(
    wallet: WalletServiceStub, subscriptions: SubscriptionObserverServiceStub
) -> None:
    await open_wallet(wallet)
    later = datetime.now(UTC) + timedelta(days=1)
    for revision, good_until in ((7, later), (7, later), (6, None)):
        answer = await subscriptions.ReportSubscription(standing(revision, good_until))
        assert answer.stored_revision == 7
    found = await refusal(subscriptions.ReportSubscription(standing(7, None)))
    assert found.reason == "REFERENCE_CONFLICT"
    assert not (await wallet_now(wallet)).frozen


async def test_entries_are_listed_newest_first_in_pages_and_by_every_filter(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    for number in range(5):
        await wallet.Credit(credit(1_000, f"in-{number}"))
    await wallet.FreezeWallet(freeze("case-7"))
    request = wallet_service_pb2.ListEntriesRequest(organization_id=ORGANIZATION, page_size=4)
    first = await wallet.ListEntries(request)
    request.page_token = first.next_page_token
    second = await wallet.ListEntries(request)

    assert [each.sequence for each in (*first.entries, *second.entries)] == [6, 5, 4, 3, 2, 1]
    assert second.next_page_token == ""
    created = first.entries[0].create_time
    counts = {
        "type": len(await entries_of(wallet, type=wallet_pb2.ENTRY_TYPE_TOP_UP)),
        "reference": len(await entries_of(wallet, reference_id="in-3")),
        "freeze": len(await entries_of(wallet, reference_id="case-7")),
        "actor": len(await entries_of(wallet, actor="anna@example.com")),
        "payment": len(await entries_of(wallet, payment_id="stripe:pi_1")),
        "from": len(await entries_of(wallet, start_time=created)),
        "until": len(await entries_of(wallet, end_time=created)),
    }
    assert counts == {
        "type": 5,
        "reference": 1,
        "freeze": 1,
        "actor": 1,
        "payment": 0,
        "from": 1,
        "until": 5,
    }


async def test_what_the_wallet_cannot_do_is_refused_with_its_reason(
    wallet: WalletServiceStub,
) -> None:
    unknown = await refusal(wallet.Debit(debit(1, "r")))
    await open_wallet(wallet)
    await wallet.Credit(credit(2**63 - 1, "all"))
    over = await refusal(wallet.Credit(credit(1, "more")))
    await wallet.Debit(debit(2**63 - 1, "everything"))
    short = await refusal(wallet.Debit(debit(2**63 - 1, "again")))
    other = credit(1, "r")
    other.currency_code = "EUR"
    mismatch = await refusal(wallet.Credit(other))
    derived = freeze()
    derived.reason = wallet_pb2.FREEZE_REASON_SUBSCRIPTION_INACTIVE
    forbidden = await refusal(wallet.FreezeWallet(derived))

    assert [each.reason for each in (unknown, over, short, mismatch, forbidden)] == [
        "WALLET_NOT_FOUND",
        "BALANCE_LIMIT_EXCEEDED",
        "INSUFFICIENT_FUNDS",
        "CURRENCY_MISMATCH",
        "INVALID_ARGUMENT",
    ]
    assert short.metadata == {"availableMicros": "0", "requestedMicros": str(2**63 - 1)}
