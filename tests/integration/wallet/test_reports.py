"""The ledger by time, and summed up: each answer is the one that a scan of all entries gives."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from libs.paging import encode_page_token, time_to_key
from libs.rpc.times import to_timestamp
from services.wallet.operations.reader import LONG_READS_AT_ONCE
from tests.integration.wallet.ledgers import payment, trial_balance, write_story
from tests.integration.wallet.requests import (
    ORGANIZATION,
    create,
    credit,
    debit,
    open_wallet,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.locks import lock_waits
from tests.support.waiting import eventually
from tollgate.wallet.v1 import ledger_pb2, wallet_pb2, wallet_service_ledger_pb2
from tollgate.wallet.v1.wallet_pb2 import Entry
from tollgate.wallet.v1.wallet_service_pb2 import ListEntriesRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
LONG_AGO, FAR_AHEAD = datetime(1990, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
# So that many entries lie in many hours.
SPREAD_OUT = """
UPDATE entries SET create_time = create_time - interval '25 minutes' * (200 - sequence)
"""


async def list_all(wallet: WalletServiceStub, page_size: int = 500, **wanted: Any) -> list[Entry]:
    """Return all entries that are wanted, page by page."""
    listed: list[Entry] = []
    token = ""
    while True:
        response = await wallet.ListEntries(
            ListEntriesRequest(**wanted, page_size=page_size, page_token=token)
        )
        assert len(response.entries) <= page_size
        listed += response.entries
        token = response.next_page_token
        if not token:
            return listed


def time_of(entry: Entry) -> datetime:
    return entry.create_time.ToDatetime(UTC)


async def spend_at_once(wallet: WalletServiceStub, count: int) -> None:
    """Entries that are written together have one time."""
    for start in range(0, count, 20):
        debits = [debit(1, f"burst-{number}") for number in range(start, start + 20)]
        await asyncio.gather(*(wallet.Debit(each) for each in debits))


def edges(entries: Sequence[Entry]) -> list[datetime]:
    """Return all times at which an answer may change, and those just before and after them."""
    times = {time_of(entry) for entry in entries}
    around = {time + step * MICROSECOND for time in times for step in (-1, 0, 1)}
    return [LONG_AGO, *sorted(around), FAR_AHEAD]


async def balance_at(
    wallet: WalletServiceStub, time: datetime
) -> wallet_service_ledger_pb2.GetBalanceAtResponse:
    return await wallet.GetBalanceAt(
        wallet_service_ledger_pb2.GetBalanceAtRequest(
            organization_id=ORGANIZATION, time=to_timestamp(time)
        )
    )


@pytest.mark.parametrize("with_gaps", [False, True])
async def test_a_balance_at_a_time_is_that_of_the_last_entry_until_then(
    wallet: WalletServiceStub, superuser: Any, *, with_gaps: bool
) -> None:
    await write_story(wallet)
    await spend_at_once(wallet, 60)
    if with_gaps:
        await superuser.execute("DELETE FROM entries WHERE sequence IN (1, 5, 6, 7, 30, 72)")
    entries = await list_all(wallet, organization_id=ORGANIZATION)
    for time in edges(entries):
        found = await balance_at(wallet, time)
        expected = next((each for each in entries if time_of(each) <= time), Entry())
        assert found.last_entry == expected
        assert found.HasField("last_entry") == bool(expected.sequence)
        assert (found.balance_micros, found.held_micros, found.owed_micros) == (
            expected.balance_after_micros,
            expected.held_after_micros,
            expected.owed_after_micros,
        )


async def test_nobody_has_no_balance_at_any_time(wallet: WalletServiceStub) -> None:
    assert (await refusal(balance_at(wallet, FAR_AHEAD))).reason == "WALLET_NOT_FOUND"


Keep = Callable[[Entry], bool]
FILTERS: dict[str, tuple[dict[str, Any], Keep]] = {
    "all": ({}, lambda _: True),
    "type": (
        {"type": wallet_pb2.ENTRY_TYPE_DEBIT},
        lambda entry: entry.type == wallet_pb2.ENTRY_TYPE_DEBIT,
    ),
    "reference": (
        {"reference_id": "message-1"},
        lambda entry: entry.reference_id == "message-1",
    ),
    "a freeze's reference": (
        {"reference_id": "dispute"},
        lambda entry: entry.reference_id == "dispute",
    ),
    "payment": (
        {"payment_id": "stripe:pi_1"},
        lambda entry: entry.payment_id == "stripe:pi_1",
    ),
    "actor": ({"actor": "anna@example.com"}, lambda entry: entry.actor == "anna@example.com"),
    "actor and type": (
        {"actor": "anna@example.com", "type": wallet_pb2.ENTRY_TYPE_UNFREEZE},
        lambda entry: entry.type == wallet_pb2.ENTRY_TYPE_UNFREEZE,
    ),
    "nothing": ({"actor": "nobody"}, lambda _: False),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_a_wallets_entries_are_listed_by_any_filter_between_any_times(
    wallet: WalletServiceStub, name: str
) -> None:
    await write_story(wallet)
    # Another wallet with the same references is none of it.
    await write_story(wallet, "org-2")
    entries = await list_all(wallet, organization_id=ORGANIZATION)
    wanted, keep = FILTERS[name]
    chosen = random.Random(name)
    for page_size in (1, 3, 500):
        start, end = sorted(chosen.sample(edges(entries), 2))
        listed = await list_all(
            wallet,
            page_size,
            organization_id=ORGANIZATION,
            start_time=to_timestamp(start),
            end_time=to_timestamp(end),
            **wanted,
        )
        assert listed == [e for e in entries if keep(e) and start <= time_of(e) < end]
    whole = await list_all(wallet, 2, organization_id=ORGANIZATION, **wanted)
    assert whole == [entry for entry in entries if keep(entry)]


def place_of(entry: Entry) -> tuple[datetime, str, int]:
    return time_of(entry), entry.organization_id, entry.sequence


@pytest.mark.parametrize("type_name", ["TOP_UP", "DEBIT", "FREEZE", "HOLD", "CAPTURE", "REPAIR"])
async def test_one_type_is_listed_over_all_wallets(
    wallet: WalletServiceStub, superuser: Any, type_name: str
) -> None:
    organizations = [f"org-{number}" for number in range(4)]
    for organization_id in organizations:
        await write_story(wallet, organization_id)
    await superuser.execute(SPREAD_OUT)
    # Of the same time, in different wallets.
    await superuser.execute("UPDATE entries SET create_time = now() WHERE sequence IN (3, 4)")
    entries = [e for name in organizations for e in await list_all(wallet, organization_id=name)]
    type_ = wallet_pb2.EntryType.Value(f"ENTRY_TYPE_{type_name}")
    start, end = (datetime.now(UTC) - 10 * DAY, datetime.now(UTC) + DAY)
    middle = max((time_of(e) for e in entries if e.type == type_), default=end)
    for page_size, until in ((1, end), (3, end), (500, end), (2, middle)):
        listed = await list_all(
            wallet,
            page_size,
            type=type_,
            start_time=to_timestamp(start),
            end_time=to_timestamp(until),
        )
        expected = [e for e in entries if e.type == type_ and time_of(e) < until]
        assert listed == sorted(expected, key=place_of, reverse=True)


NOW = datetime(2026, 3, 1, tzinfo=UTC)
# The last of them is of the last microsecond that a time can have.
AFTER_THE_SPAN = [
    encode_page_token(time_to_key(time), "a", 1)
    for time in (NOW + DAY, datetime.max.replace(tzinfo=UTC))
]


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({}, ["start_time", "end_time", "type"]),
        ({"type": wallet_pb2.ENTRY_TYPE_DEBIT}, ["start_time", "end_time"]),
        ({"start_time": NOW, "end_time": NOW + DAY}, ["type"]),
        ({"start_time": NOW, "end_time": NOW, "type": 2}, ["end_time"]),
        ({"start_time": NOW, "end_time": NOW - DAY, "type": 2}, ["end_time"]),
        ({"start_time": NOW, "end_time": NOW + 31 * DAY + MICROSECOND, "type": 2}, ["end_time"]),
        (
            {"start_time": NOW, "end_time": NOW + DAY, "type": 2, "page_token": "WzFd"},
            ["page_token"],
        ),
        *(
            (
                {"start_time": NOW, "end_time": NOW + DAY, "type": 2, "page_token": token},
                ["page_token"],
            )
            for token in AFTER_THE_SPAN
        ),
        ({"organization_id": ORGANIZATION, "page_token": "made up"}, ["page_token"]),
        ({"organization_id": ORGANIZATION, "page_token": "WzEsICJhIiwgMV0="}, ["page_token"]),
    ],
)
async def test_a_list_that_cannot_be_made_is_refused(
    wallet: WalletServiceStub, wanted: dict[str, Any], fields: list[str]
) -> None:
    times = {name: to_timestamp(each) for name, each in wanted.items() if name.endswith("_time")}
    found = await refusal(wallet.ListEntries(ListEntriesRequest(**{**wanted, **times})))
    assert (found.code, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, fields)


async def test_the_sum_over_all_accounts_is_zero(wallet: WalletServiceStub) -> None:
    assert set((await trial_balance(wallet)).values()) == {0}
    for organization_id in ("org-1", "org-2"):
        await write_story(wallet, organization_id)
    # What is spent can only be owed when it is taken back.
    await wallet.Debit(debit(1_000, "spent", "org-2"))
    await wallet.ApplyPayment(payment(3, 500, 500, organization_id="org-2"))
    await wallet.CreateWallet(create("org-3"))
    assert await trial_balance(wallet) == {
        "WALLETS": 1_340 + 100,
        "PROVIDER_CLEARING": -1_400 - 1_000,
        "MESSAGE_REVENUE": 60 + 1_060,
        "PROMOTION": 0,
        "RECEIVABLE": -160,
        "ADJUSTMENT": 0,
        "sum": 0,
    }


async def test_who_sums_up_the_ledger_keeps_nobody_from_listing_it(
    wallet: WalletServiceStub, database: ServiceDatabase, superuser: Any
) -> None:
    await write_story(wallet)
    async with superuser.transaction():
        await superuser.execute("LOCK TABLE wallets")
        summing = [asyncio.create_task(trial_balance(wallet)) for _ in range(LONG_READS_AT_ONCE)]
        # And the worker that looks for what is due.
        await eventually(lambda: lock_waits(database), lambda count: count > LONG_READS_AT_ONCE)
        assert await list_all(wallet, organization_id=ORGANIZATION)
        assert not any(each.done() for each in summing)
    assert [each["sum"] for each in await asyncio.gather(*summing)] == [0] * LONG_READS_AT_ONCE


async def test_another_currency_is_another_trial_balance(wallet: WalletServiceStub) -> None:
    await write_story(wallet)
    request = wallet_service_ledger_pb2.GetTrialBalanceRequest(currency_code="EUR")
    response = await wallet.GetTrialBalance(request)
    assert {each.total_micros for each in response.accounts} == {0}


async def test_a_sum_that_no_message_can_hold_is_refused(wallet: WalletServiceStub) -> None:
    for organization_id in ("org-1", "org-2"):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(2**63 - 1, "in", organization_id))
    found = await refusal(trial_balance(wallet))
    assert found.reason == "BALANCE_LIMIT_EXCEEDED"
    assert found.metadata == {"totalMicros": str(2 * (2**63 - 1))}


def statistics(
    start: datetime, end: datetime, bucket: ledger_pb2.StatisticsBucket.ValueType
) -> wallet_service_ledger_pb2.GetLedgerStatisticsRequest:
    return wallet_service_ledger_pb2.GetLedgerStatisticsRequest(
        start_time=to_timestamp(start),
        end_time=to_timestamp(end),
        bucket=bucket,
        currency_code="USD",
    )


@pytest.mark.parametrize(
    "bucket", [ledger_pb2.STATISTICS_BUCKET_HOUR, ledger_pb2.STATISTICS_BUCKET_DAY]
)
async def test_statistics_are_what_a_scan_counts(
    wallet: WalletServiceStub,
    superuser: Any,
    bucket: ledger_pb2.StatisticsBucket.ValueType,
) -> None:
    organizations = ["org-1", "org-2"]
    for organization_id in organizations:
        await write_story(wallet, organization_id)
    await spend_at_once(wallet, 100)
    await superuser.execute(SPREAD_OUT)
    entries = [e for name in organizations for e in await list_all(wallet, organization_id=name)]
    times = sorted(time_of(entry) for entry in entries)
    start, end = times[5], times[-5]
    response = await wallet.GetLedgerStatistics(statistics(start, end, bucket))
    within = [entry for entry in entries if start <= time_of(entry) < end]
    assert list(response.buckets) == scan(within, bucket)


def scan(
    entries: Sequence[Entry], bucket: ledger_pb2.StatisticsBucket.ValueType
) -> list[ledger_pb2.LedgerBucket]:
    """Count and sum up one after the other."""
    by_hour = bucket == ledger_pb2.STATISTICS_BUCKET_HOUR
    found: dict[tuple[datetime, str], ledger_pb2.LedgerBucket] = {}
    for entry in entries:
        start = time_of(entry).replace(minute=0, second=0, microsecond=0)
        start = start if by_hour else start.replace(hour=0)
        key = start, wallet_pb2.EntryType.Name(entry.type)
        seen = found.setdefault(
            key,
            ledger_pb2.LedgerBucket(
                start_time=to_timestamp(start),
                type=entry.type,
                counterparty_account=entry.counterparty_account,
            ),
        )
        seen.count += 1
        seen.total_micros += entry.amount_micros
    return [found[key] for key in sorted(found)]


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (0, ledger_pb2.STATISTICS_BUCKET_DAY),
        (-1, ledger_pb2.STATISTICS_BUCKET_DAY),
        (32, ledger_pb2.STATISTICS_BUCKET_HOUR),
        (367, ledger_pb2.STATISTICS_BUCKET_DAY),
    ],
)
async def test_statistics_of_too_long_or_no_time_are_refused(
    wallet: WalletServiceStub, days: int, bucket: ledger_pb2.StatisticsBucket.ValueType
) -> None:
    found = await refusal(wallet.GetLedgerStatistics(statistics(NOW, NOW + days * DAY, bucket)))
    assert (found.code, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["end_time"])
