"""What somebody does to the ledger behind the service's back is found, and mended in the open."""

import asyncio
from datetime import datetime
from typing import Any

import asyncpg
import grpc
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.wallet.app import build
from services.wallet.operations.verification import StrangeKeysError
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import (
    ADD_ENTRY,
    FOLLOW_LAST_ENTRY,
    capture,
    contents,
    kind_of,
    lift_integrity,
    payment,
    place,
    repair,
    told_of,
    trial_balance,
    verify,
    write_story,
)
from tests.integration.wallet.requests import (
    ORGANIZATION,
    credit,
    debit,
    entries_of,
    freeze,
    open_wallet,
    wallet_now,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.locks import rows_locked
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.wallet.v1 import hold_pb2, ledger_pb2, wallet_pb2, wallet_service_ledger_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

FORGED_FREEZE = """[{"reason": "OPERATOR", "reference_id": "forged", "note": "", "actor": "mallory",
    "create_time": "2026-01-01T00:00:00+00:00"}]"""
FORGE_HOLD = """
INSERT INTO holds
SELECT organization_id, 'forged', 9, 0, 0, 'OPEN', expire_time, '', NULL, create_time, update_time
FROM holds WHERE reference_id = 'hold-1'
"""
AS_REPLICA = "SET session_replication_role = replica"

# Nothing of it proves itself, which takes as long to find out.
MANY_ENTRIES = """
INSERT INTO entries
SELECT organization_id, sequence + number, 1, 1, 0, 0, create_time, 'TOP_UP', 'USD', NULL, NULL,
    NULL, NULL, NULL, NULL, '', '', NULL, chain
FROM entries CROSS JOIN generate_series(1, 100000) AS number
WHERE sequence = (SELECT max(sequence) FROM entries)
"""
SNAPSHOT_SINCE = """
SELECT xact_start FROM pg_stat_activity
WHERE application_name = 'wallet_reports' AND datname = current_database()
    AND backend_xmin IS NOT NULL
"""
READING = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'wallet_reports' AND datname = current_database() AND state <> 'idle'
"""

TAMPERINGS = {
    "an entry's amount changed": (
        ["UPDATE entries SET amount_micros = amount_micros + 1 WHERE sequence = 1"],
        {"ENTRY_CHANGED", "BALANCE_WRONG"},
    ),
    "an entry's text changed": (
        ["UPDATE entries SET description = 'another' WHERE sequence = 4"],
        {"ENTRY_CHANGED"},
    ),
    "an entry's time changed": (
        ["UPDATE entries SET create_time = create_time - interval '1 hour' WHERE sequence = 2"],
        {"ENTRY_CHANGED"},
    ),
    "an entry and all balances after it changed": (
        [
            "UPDATE entries SET amount_micros = amount_micros + 5 WHERE sequence = 1",
            "UPDATE entries SET balance_after_micros = balance_after_micros + 5",
            FOLLOW_LAST_ENTRY,
        ],
        {"ENTRY_CHANGED"},
    ),
    "an entry added": ([ADD_ENTRY], {"ENTRY_CHANGED", "WALLET_DIFFERS"}),
    "an entry added, and the balance with it": (
        [ADD_ENTRY, FOLLOW_LAST_ENTRY],
        {"ENTRY_CHANGED"},
    ),
    "an entry removed": (["DELETE FROM entries WHERE sequence = 3"], {"ENTRY_MISSING"}),
    "the tail cut off": (["DELETE FROM entries WHERE sequence > 7"], {"TAIL_CUT"}),
    "all entries removed": (["DELETE FROM entries"], {"TAIL_CUT", "PAYMENTS_DIFFER"}),
    "the balance moved": (
        ["UPDATE wallets SET balance_micros = balance_micros + 1000000"],
        {"WALLET_DIFFERS"},
    ),
    "money taken out of what is held": (
        ["UPDATE wallets SET held_micros = held_micros - 1"],
        {"WALLET_DIFFERS", "HOLDS_DIFFER"},
    ),
    "the chain of the wallet changed": (
        ["UPDATE wallets SET chain = '\\x00'"],
        {"WALLET_DIFFERS"},
    ),
    "the currency changed": (["UPDATE wallets SET currency_code = 'EUR'"], {"WALLET_DIFFERS"}),
    "a hold changed": (
        ["UPDATE holds SET remaining_micros = 1 WHERE state = 'OPEN'"],
        {"HOLDS_DIFFER"},
    ),
    "what is left moved from one hold to another": (
        [
            "UPDATE holds SET remaining_micros = 60 WHERE reference_id = 'hold-1'",
            "UPDATE holds SET state = 'OPEN', remaining_micros = 40 WHERE reference_id = 'hold-0'",
        ],
        {"HOLDS_DIFFER"},
    ),
    "what was captured forgotten": (
        ["UPDATE holds SET captured_micros = 0 WHERE reference_id = 'hold-0'"],
        {"HOLDS_DIFFER"},
    ),
    "a hold that is over left to late captures": (
        ["UPDATE holds SET state = 'EXPIRED' WHERE reference_id = 'hold-0'"],
        {"HOLDS_DIFFER"},
    ),
    "a hold that is over opened again": (
        ["UPDATE holds SET state = 'OPEN' WHERE reference_id = 'hold-0'"],
        {"HOLDS_DIFFER"},
    ),
    "a hold removed": (["DELETE FROM holds WHERE reference_id = 'hold-0'"], {"HOLDS_DIFFER"}),
    "a hold that nobody has placed": ([FORGE_HOLD], {"HOLDS_DIFFER"}),
    "a hold that nobody has placed left to late captures": (
        [FORGE_HOLD.replace("OPEN", "EXPIRED")],
        {"HOLDS_DIFFER"},
    ),
    "what was paid moved from one payment to another": (
        [
            "UPDATE payments SET credited_micros = credited_micros - 50",
            "INSERT INTO payments SELECT organization_id, 'stripe:pi_2', 1, 50 FROM payments",
        ],
        {"PAYMENTS_DIFFER"},
    ),
    "a payment set back": (
        ["UPDATE payments SET revision = 0, credited_micros = 0, reversed_micros = 0"],
        {"PAYMENTS_DIFFER"},
    ),
    "what is at risk changed": (
        ["UPDATE payments SET at_risk_micros = 0"],
        {"PAYMENTS_DIFFER"},
    ),
    "the wallet deleted": ([AS_REPLICA, "DELETE FROM wallets"], {"WALLET_MISSING"}),
    "the wallet deleted with all that is its": (
        ["DELETE FROM payments", "DELETE FROM holds", "DELETE FROM wallets"],
        {"WALLET_MISSING"},
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_tampering_is_found_and_repaired(
    wallet: WalletServiceStub, superuser: Any, tampering: str
) -> None:
    await write_story(wallet)
    before = await verify(wallet)
    assert (before.kinds, before.summary.finding_count) == (set(), 0)
    statements, kinds = TAMPERINGS[tampering]
    for statement in statements:
        await superuser.execute(statement)
    await open_wallet(wallet, "org-2")

    found = await verify(wallet, "")
    assert kinds <= found.kinds
    assert {finding.organization_id for finding in found.findings} == {ORGANIZATION}
    assert found.summary.finding_count == len(found.findings)
    broken = await contents(superuser)
    rehearsed = await repair(wallet, dry_run=True)
    assert not any(finding.repaired for finding in rehearsed.findings)
    assert await contents(superuser) == broken
    repaired = await repair(wallet)
    assert told_of(rehearsed) == told_of(repaired)
    assert {kind_of(finding) for finding in repaired.findings} == found.kinds
    assert all(finding.repaired for finding in repaired.findings)
    assert repaired.entries[0].type == wallet_pb2.ENTRY_TYPE_REPAIR
    assert repaired.entries[0].description.startswith("ticket-7 [")

    after = await verify(wallet, "")
    assert after.kinds == set(), after.findings
    assert kinds <= after.repaired_kinds
    assert after.summary.repaired_count >= len(kinds)
    assert (await trial_balance(wallet))["sum"] == 0
    await wallet.ApplyPayment(payment(3, 5_000))
    await wallet.Debit(debit(10, "afterwards"))
    assert (await verify(wallet)).kinds == set()


@pytest.mark.parametrize(
    ("freezes", "restored"),
    [("[]", {"dispute"}), (FORGED_FREEZE, {"dispute", "forged"})],
    ids=["lifted", "set"],
)
async def test_a_freeze_that_was_lifted_behind_the_services_back_is_set_again(
    wallet: WalletServiceStub, database: ServiceDatabase, freezes: str, restored: set[str]
) -> None:
    await write_story(wallet)
    await wallet.FreezeWallet(freeze("dispute"))
    frozen = await wallet_now(wallet)
    role = await asyncpg.connect(database.url)
    # Whoever has the role's password may lift it, and set another one.
    await role.execute("UPDATE wallets SET freezes = $1", freezes)
    await role.close()
    assert (await verify(wallet)).kinds == {"WALLET_DIFFERS"}
    repaired = (await repair(wallet)).wallet
    assert {each.reference_id for each in repaired.freezes} == restored
    assert repaired.revision > frozen.revision
    assert (await verify(wallet)).kinds == set()
    assert (await refusal(wallet.Debit(debit(1, "frozen")))).reason == "WALLET_FROZEN"


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE wallets SET freezes = '[{"reason": "DISPUTE"}]'""",
        """UPDATE wallets SET freezes = '{"a": 1}'""",
        "UPDATE wallets SET subscription_revision = 1, subscription_state = 'LOST'",
    ],
)
async def test_a_wallet_that_cannot_be_read_keeps_no_other_from_being_verified(
    wallet: WalletServiceStub, superuser: Any, statement: str
) -> None:
    for organization_id in (ORGANIZATION, "org-2"):
        await write_story(wallet, organization_id)
    await superuser.execute(f"{statement} WHERE organization_id = '{ORGANIZATION}'")
    await superuser.execute("UPDATE wallets SET held_micros = 0 WHERE organization_id = 'org-2'")
    found = await verify(wallet, "")
    assert found.kinds == {"WALLET_DIFFERS", "HOLDS_DIFFER"}
    assert {each.organization_id for each in found.findings} == {ORGANIZATION, "org-2"}
    assert found.summary.verified_wallets == 2
    assert (await refusal(wallet.UnfreezeWallet(lift_integrity()))).reason == "INVALID_STATE"


async def test_money_in_another_currency_does_not_become_clean_with_the_next_entry(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await superuser.execute("UPDATE wallets SET currency_code = 'EUR'")
    for number in range(2):
        in_euro = debit(1, f"euro-{number}")
        in_euro.currency_code = "EUR"
        await wallet.Debit(in_euro)
    assert (await verify(wallet)).kinds == {"BALANCE_WRONG", "WALLET_DIFFERS"}
    assert (await repair(wallet)).wallet.currency_code == "USD"
    assert (await verify(wallet)).kinds == set()
    await wallet.Debit(debit(1, "dollar"))
    assert (await verify(wallet)).kinds == set()


async def test_a_repair_waits_for_a_lock_no_longer_than_others_and_names_its_holder(
    wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    await write_story(wallet)
    with capture_logs() as logs:
        async with rows_locked(database, [ORGANIZATION]):
            assert (await refusal(repair(wallet))).reason == "DATABASE_UNAVAILABLE"
    (held_up,) = (line for line in logs if line["event"] == "wallet_lock_timeout")
    assert held_up["organization_id"] == ORGANIZATION


async def test_a_hold_that_was_lost_may_be_placed_again_after_a_repair(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await wallet.PlaceHold(place(10, "lost"))
    await superuser.execute("DELETE FROM entries WHERE reference_id = 'lost'")
    await repair(wallet)
    # Its message is sent for the first time, as far as the ledger knows.
    placed = (await wallet.PlaceHold(place(90, "lost"))).hold
    assert (placed.amount_micros, placed.remaining_micros) == (90, 90)
    captured = (await wallet.CaptureHold(capture(90, "lost"))).hold
    assert captured.state == hold_pb2.HOLD_STATE_CAPTURED
    assert (await verify(wallet)).kinds == set()


async def test_a_ledger_in_order_is_proved_whole_and_nothing_is_written(
    wallet: WalletServiceStub,
) -> None:
    await write_story(wallet)
    entry_count = (await wallet_now(wallet)).entry_count
    outcome = await verify(wallet)
    assert outcome.summary.verified_entries == entry_count
    assert outcome.progress[0].wallet_count == 1
    repaired = await repair(wallet)
    assert (list(repaired.entries), list(repaired.findings)) == ([], [])
    assert (await wallet_now(wallet)).entry_count == entry_count


async def test_what_is_not_there_cannot_be_proved_or_repaired(wallet: WalletServiceStub) -> None:
    async def verify_nobody() -> None:
        await verify(wallet, "nobody")

    for call in (verify_nobody(), repair(wallet, "nobody")):
        assert (await refusal(call)).reason == "WALLET_NOT_FOUND"
    assert (await verify(wallet, "")).summary == ledger_pb2.VerifySummary()


async def test_a_tail_that_was_cut_with_care_is_missed_by_a_head_that_was_logged(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await wallet.Debit(debit(1, "last"))
    last, *_, first = await entries_of(wallet)
    heads = [
        ledger_pb2.ChainHead(organization_id=ORGANIZATION, sequence=each.sequence, chain=each.chain)
        for each in (first, last)
    ]
    assert (await verify(wallet, heads=heads)).kinds == set()
    await superuser.execute("DELETE FROM entries WHERE sequence = $1", last.sequence)
    await superuser.execute(FOLLOW_LAST_ENTRY)
    assert (await verify(wallet)).kinds == set()
    others = ledger_pb2.ChainHead(organization_id="org-2", sequence=1, chain=b"x")
    for organization_id, told in (("", heads), (ORGANIZATION, [others, *heads])):
        found = await verify(wallet, organization_id, told)
        assert [kind_of(finding) for finding in found.findings] == ["TAIL_CUT"]
    await superuser.execute("TRUNCATE entries, holds, payments, wallets")
    assert [(await verify(wallet, "", heads)).kinds] == [{"TAIL_CUT"}]


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        (ledger_pb2.ChainHead(sequence=1, chain=b"x"), ["organization_id"]),
        (ledger_pb2.ChainHead(organization_id=ORGANIZATION), ["sequence", "chain"]),
    ],
)
async def test_heads_that_cannot_be_are_refused(
    wallet: WalletServiceStub, head: ledger_pb2.ChainHead, fields: list[str]
) -> None:
    await open_wallet(wallet)
    found = await refusal(verify(wallet, heads=[head]))
    assert (found.code, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, fields)


async def test_a_dry_run_on_a_clean_wallet_tells_of_the_freeze_that_would_be_lifted(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    assert not (await repair(wallet, dry_run=True)).entries
    integrity = freeze()
    integrity.reason = wallet_pb2.FREEZE_REASON_INTEGRITY
    await wallet.FreezeWallet(integrity)
    frozen = await contents(superuser)
    rehearsed = await repair(wallet, dry_run=True)
    assert [entry.type for entry in rehearsed.entries] == [wallet_pb2.ENTRY_TYPE_UNFREEZE]
    assert await contents(superuser) == frozen
    assert told_of(rehearsed) == told_of(await repair(wallet))


async def test_integrity_lifts_only_from_a_wallet_that_proves_itself(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await superuser.execute("UPDATE entries SET actor = 'mallory' WHERE sequence = 1")
    found = await refusal(wallet.UnfreezeWallet(lift_integrity()))
    assert (found.reason, found.metadata["findings"]) == ("INVALID_STATE", "1")
    await repair(wallet)
    await wallet.UnfreezeWallet(lift_integrity())


OLD, NEW = (SecretStr(f"{age} key of a test, long enough for a chain") for age in ("old", "new"))


async def test_keys_are_rotated(database: ServiceDatabase) -> None:
    for chain_keys, kinds in (
        ((OLD,), set[str]()),
        ((NEW, OLD), set[str]()),
        ((NEW,), {"ENTRY_CHANGED"}),
        ((OLD, NEW), set[str]()),
    ):
        settings = wallet_settings(database, chain_keys=chain_keys)
        async with running(await build(settings)) as channel:
            wallet = WalletServiceStub(channel)
            await open_wallet(wallet)
            for number in range(3):
                keys = "-".join(key.get_secret_value()[:3] for key in chain_keys)
                await wallet.Credit(credit(10, f"{keys}-{number}"))
            assert (await verify(wallet)).kinds == kinds


async def test_keys_are_rotated_in_two_steps_while_two_processes_run(
    database: ServiceDatabase,
) -> None:
    """Each knows the new key before the first one seals with it."""
    known, used = (OLD, NEW), (NEW, OLD)
    steps = [((OLD,), known), (known, known), (known, used), (used, used)]
    for number, step in enumerate(steps):
        settings = [wallet_settings(database, chain_keys=chain_keys) for chain_keys in step]
        async with (
            running(await build(settings[0])) as one,
            running(await build(settings[1])) as other,
        ):
            wallets = [WalletServiceStub(channel) for channel in (one, other)]
            await open_wallet(wallets[0])
            for position, wallet in enumerate(wallets * 2):
                await wallet.Credit(credit(1, f"in-{number}-{position}"))
            assert [(await verify(wallet)).kinds for wallet in wallets] == [set(), set()]


async def can_start(database: ServiceDatabase, *chain_keys: SecretStr) -> bool:
    """Tell whether a service with these keys opens its doors."""
    service = await build(wallet_settings(database, chain_keys=chain_keys))
    try:
        await service.start()
    except StrangeKeysError:
        return False
    finally:
        await service.stop()
    return True


async def test_a_service_whose_keys_have_sealed_nothing_does_not_start(
    database: ServiceDatabase, superuser: Any
) -> None:
    assert await can_start(database, NEW)
    async with running(await build(wallet_settings(database, chain_keys=(OLD,)))) as channel:
        await open_wallet(WalletServiceStub(channel))
        assert await can_start(database, NEW)
        await WalletServiceStub(channel).Credit(credit(1, "in"))
        assert not await can_start(database, NEW)
        await write_story(WalletServiceStub(channel), "org-2")
    assert not await can_start(database, NEW)
    assert await can_start(database, NEW, OLD)
    assert await can_start(database, OLD)
    # Whatever has been done to some entries: there must be somebody to repair them.
    await superuser.execute("UPDATE entries SET actor = 'mallory' WHERE sequence > 2")
    assert await can_start(database, OLD)
    await superuser.execute("ALTER TABLE entries DROP CONSTRAINT entries_sealed")
    await superuser.execute("UPDATE entries SET chain = NULL")
    assert await can_start(database, OLD)


async def test_a_caller_that_goes_away_ends_the_verification(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await superuser.execute(MANY_ENTRIES)
    request = wallet_service_ledger_pb2.VerifyLedgerRequest(organization_id=ORGANIZATION)
    call = wallet.VerifyLedger(request)

    async def reading() -> int:
        count: int = await superuser.fetchval(READING)
        return count

    await eventually(reading, lambda count: count == 1)
    call.cancel()
    await eventually(reading, lambda count: count == 0, timeout_seconds=1.0)


async def test_a_long_ledger_is_read_in_many_short_snapshots(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await superuser.execute(MANY_ENTRIES)
    seen: set[datetime] = set()

    async def snapshots() -> int:
        if since := await superuser.fetchval(SNAPSHOT_SINCE):
            seen.add(since)
        return len(seen)

    verifying = asyncio.create_task(verify(wallet))
    await eventually(snapshots, lambda count: count >= 3)
    assert (await verifying).summary.verified_entries > 100_000


async def test_whoever_takes_the_seals_away_is_found_and_sealed_over_by_nobody(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    for statement in (
        "ALTER TABLE entries DROP CONSTRAINT entries_sealed",
        "UPDATE entries SET chain = NULL",
        "UPDATE entries SET amount_micros = amount_micros + 9000 WHERE sequence = 1",
        "UPDATE entries SET balance_after_micros = balance_after_micros + 9000",
        FOLLOW_LAST_ENTRY,
    ):
        await superuser.execute(statement)
    assert (await verify(wallet)).kinds == {"ENTRY_CHANGED"}
    await wallet.Debit(debit(1, "sealed"))
    await wallet.Debit(debit(1, "sealed-too"))
    assert (await verify(wallet)).kinds == {"ENTRY_CHANGED"}
    await repair(wallet)
    after = await verify(wallet)
    assert (after.kinds, after.repaired_kinds) == (set(), {"ENTRY_CHANGED"})
