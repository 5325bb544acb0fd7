"""ListAnomalies: what the rules find in all entries, and no more is read than they need."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from libs.rpc.times import to_timestamp
from services.wallet.app import READ_PLANNING
from services.wallet.domain.anomalies import (
    CreditLine,
    SpentDay,
    find_anomalies,
)
from services.wallet.domain.values import EntryType
from services.wallet.storage.anomalies import list_credits, list_spikes
from services.wallet.storage.history import Span
from tests.integration.wallet.requests import credit, open_wallet
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.rows_read import rows_read
from tollgate.wallet.v1 import wallet_service_ledger_pb2
from tollgate.wallet.v1.wallet_service_ledger_pb2 import Anomaly, AnomalyKind
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

NOW = datetime(2026, 3, 29, 15, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
INSERT = """
INSERT INTO entries
SELECT organization_id, sequence, amount, 1, 0, 0, time, type, 'USD', name, 0,
    CASE type WHEN 'PAYMENT' THEN 'stripe:' || name END, NULL, NULL, NULL, '', '', NULL, '\\x00'
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[])
    AS new (organization_id, sequence, amount, time, type, name)
"""
TYPES = ("TOP_UP", "PAYMENT", "PROMOTION", "REFUND", "DEBIT", "DEBIT", "CAPTURE", "HOLD")


def ledgers(seed: int) -> list[tuple[str, int, int, datetime, str, str]]:
    """Return entries of two months of three wallets, each in the order of its time."""
    chance = random.Random(seed)
    entries = []
    for organization_id in ("org-1", "org-2", "org-3"):
        time = NOW - timedelta(days=60)
        for sequence in range(1, 400):
            time += timedelta(minutes=chance.choice((1, 30, 61, 400)))
            type_ = chance.choice(TYPES)
            amount = chance.choice((2_000_000, 3_000_000))
            if type_ in ("DEBIT", "CAPTURE"):
                amount = chance.choice((*[-1_500_000] * 30, -70_000_000))
            entries.append((organization_id, sequence, amount, time, type_, f"n-{sequence}"))
    return entries


async def write(superuser: Any, entries: Sequence[tuple[Any, ...]]) -> None:
    await superuser.execute(INSERT, *(list(column) for column in zip(*entries, strict=True)))


def spent_days(entries: Sequence[tuple[str, int, int, datetime, str, str]]) -> list[SpentDay]:
    """Return each day of each wallet, summed up the long way."""
    spending = [each for each in entries if each[4] in ("DEBIT", "CAPTURE")]
    found = []
    for organization_id, day in {(each[0], each[3].date()) for each in spending}:
        own = [each for each in spending if each[0] == organization_id]
        today = [each for each in own if each[3].date() == day]
        before = [each for each in own if 0 < (day - each[3].date()).days <= 7]
        found.append(
            SpentDay(
                organization_id,
                "USD",
                day,
                max(each[3] for each in today),
                -sum(each[2] for each in today),
                -sum(each[2] for each in before),
            )
        )
    return found


async def anomalies(
    wallet: WalletServiceStub, start: datetime, end: datetime, organization_id: str = ""
) -> list[Anomaly]:
    request = wallet_service_ledger_pb2.ListAnomaliesRequest(
        start_time=to_timestamp(start), end_time=to_timestamp(end), organization_id=organization_id
    )
    return [*(await wallet.ListAnomalies(request)).anomalies]


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_found_is_what_the_rules_find_in_all_entries(
    wallet: WalletServiceStub, superuser: Any, seed: int
) -> None:
    entries = ledgers(seed)
    await write(superuser, entries)
    start, end = NOW - timedelta(days=52), NOW - timedelta(days=52 - 31)
    for organization_id in ("", "org-2"):
        own = [each for each in entries if each[3] < end and organization_id in ("", each[0])]
        credited = [
            CreditLine(
                each[0],
                each[1],
                each[3],
                EntryType(each[4]),
                "USD",
                each[2],
                f"stripe:{each[5]}" if each[4] == "PAYMENT" else each[5],
            )
            for each in own
            if each[2] > 0 and each[4] != "HOLD" and each[3] >= start - timedelta(hours=1)
        ]
        spent = [each for each in spent_days(own) if each.last_time >= start]
        expected = [
            (
                each.kind,
                each.organization_id,
                each.time,
                each.amount_micros,
                each.usual_micros,
                each.reference_ids,
            )
            for each in find_anomalies(credited, spent, start)
        ]
        found = await anomalies(wallet, start, end, organization_id)
        assert [
            (
                AnomalyKind.Name(each.kind).removeprefix("ANOMALY_KIND_"),
                each.organization_id,
                each.time.ToDatetime(UTC),
                each.amount_micros,
                each.usual_micros,
                tuple(each.reference_ids),
            )
            for each in found
        ] == expected
        assert organization_id or len({each.kind for each in found}) == 3


async def test_a_backend_that_credits_twice_is_found(wallet: WalletServiceStub) -> None:
    await open_wallet(wallet)
    for reference_id in ("top-up-1", "top-up-1-again"):
        await wallet.Credit(credit(25_000_000, reference_id))
    now = datetime.now(UTC)
    found = await anomalies(wallet, now - timedelta(hours=1), now + timedelta(hours=1))
    twice = [each for each in found if each.kind == AnomalyKind.ANOMALY_KIND_REPEATED_CREDIT]
    assert [(each.amount_micros, [*each.reference_ids]) for each in twice] == [
        (25_000_000, ["top-up-1-again", "top-up-1"])
    ]


async def test_a_time_that_is_none_or_too_long_is_refused(wallet: WalletServiceStub) -> None:
    for start, end in ((NOW, NOW), (NOW - timedelta(days=32), NOW)):
        found = await refusal(anomalies(wallet, start, end))
        assert (found.code, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["end_time"])


FILL = """
INSERT INTO entries
SELECT 'org-hot', number, -1, 1, 0, 0, $1::timestamptz - number * interval '-1 minute', 'DEBIT',
    'USD', 'ref-' || number, 0, NULL, NULL, NULL, NULL, '', '', NULL, '\\x00'
FROM generate_series(1, 100000) AS number
"""
# Of a hundred thousand: those of a week, and what is looked at to find where it begins and ends.
WEEK_READ_MAX = 7 * 24 * 60 + 200


@pytest.mark.parametrize("counted", ["never counted", "counted"])
async def test_what_is_read_of_a_hot_wallet_lies_within_the_time(
    superuser: Any, database: ServiceDatabase, counted: str
) -> None:
    await superuser.execute(FILL, NOW)
    if counted == "counted":
        await superuser.execute("ANALYZE")
    role = await asyncpg.connect(database.url, server_settings=dict(READ_PLANNING))
    span = Span(NOW + 2 * WEEK, NOW + 3 * WEEK)

    async def credits_of(organization_id: str) -> int:
        return await rows_read(
            superuser,
            role,
            "entries",
            lambda role: list_credits(role, organization_id, span, 1_000),
        )

    assert await credits_of("") <= 10
    assert await credits_of("org-hot") <= 10
    spikes = await rows_read(
        superuser, role, "entries", lambda role: list_spikes(role, "org-hot", span, NOW)
    )
    assert spikes <= WEEK_READ_MAX
    await role.close()
