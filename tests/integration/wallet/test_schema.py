"""The database defends the ledger by itself, against the service's own role."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.integration.wallet.ledgers import payment, place, verify
from tests.integration.wallet.requests import credit, debit, open_wallet, wallet_now
from tests.support.databases import ServiceDatabase
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# The wallet has 100: a credit of 200, a debit of 100.
NEXT_ENTRY = {
    "organization_id": "'org-1'",
    "sequence": "3",
    "amount_micros": "5",
    "balance_after_micros": "105",
    "held_after_micros": "0",
    "owed_after_micros": "0",
    "create_time": "now()",
    "type": "'TOP_UP'",
    "currency_code": "'USD'",
    "reference_id": "'new'",
    "reference_part": "0",
    "payment_id": "NULL",
    "hold_reference_id": "NULL",
    "freeze_reason": "NULL",
    "freeze_reference_id": "NULL",
    "actor": "''",
    "description": "''",
    "metadata": "NULL",
    "chain": r"'\x00'",
}
REPAIR = {"type": "'REPAIR'", "amount_micros": "0", "balance_after_micros": "100"}


def row(**changes: str) -> str:
    """Return an entry as SQL."""
    return f"ROW({', '.join({**NEXT_ENTRY, **changes}.values())})::entries"


def append(*rows: str) -> str:
    """Return what the service sends."""
    return f"SELECT append_entries(ARRAY[{', '.join(rows)}])"


def repair(**changes: str) -> str:
    """Return what a repair sends."""
    return f"SELECT repair_wallet({row(**{**REPAIR, **changes})})"


PERMISSION = "permission denied"
OWNER = "must be owner"
FOLLOWING = "entries_follow_one_another"
REPAIRING = "repairs_follow_from_entries"
REFUSED = {
    "negative": (
        append(row(type="'DEBIT'", amount_micros="-500", balance_after_micros="-400")),
        "entries_balance_not_negative",
    ),
    "more is held than is there": (
        append(row(held_after_micros="106")),
        "entries_held_within_balance",
    ),
    "less than nothing is held": (append(row(held_after_micros="-1")), "entries_held_not_negative"),
    "less than nothing is owed": (
        append(row(balance_after_micros="104", owed_after_micros="-1")),
        "entries_owed_not_negative",
    ),
    "owed while something is available": (
        append(row(balance_after_micros="110", owed_after_micros="5")),
        "wallets_owed_only_when_nothing_is_available",
    ),
    "an orphan": (append(row(organization_id="'nobody'", sequence="1")), FOLLOWING),
    "a gap": (append(row(sequence="4")), FOLLOWING),
    "a gap within": (
        append(row(), row(sequence="5", balance_after_micros="110", reference_id="'newer'")),
        FOLLOWING,
    ),
    "no sequence": (append(row(sequence="0")), "entries_sequence_from_one"),
    "a sequence again": (append(row(sequence="2")), "entries_pkey"),
    "a reference again": (append(row(reference_id="'in'")), "entries_reference_once"),
    "a reference without its part": (
        append(row(reference_part="NULL")),
        "entries_reference_has_part",
    ),
    "a balance that does not follow": (append(row(balance_after_micros="106")), FOLLOWING),
    "a balance that does not follow within": (
        append(row(), row(sequence="4", balance_after_micros="109", reference_id="'newer'")),
        FOLLOWING,
    ),
    "held that does not follow": (append(row(held_after_micros="5")), FOLLOWING),
    "held that does not follow within": (
        append(
            row(),
            row(
                sequence="4",
                type="'HOLD'",
                balance_after_micros="105",
                held_after_micros="6",
                reference_id="'newer'",
            ),
        ),
        FOLLOWING,
    ),
    "another currency than the wallet's": (append(row(currency_code="'EUR'")), FOLLOWING),
    "another currency within": (
        append(
            row(currency_code="'EUR'"),
            row(sequence="4", balance_after_micros="110", reference_id="'newer'"),
        ),
        FOLLOWING,
    ),
    "an amount of the wrong sign": (
        append(row(amount_micros="-5", balance_after_micros="95")),
        "entries_amount_fits_type",
    ),
    "an unknown type": (append(row(type="'GIFT'")), "entries_amount_fits_type"),
    "no seal": (append(row(chain="NULL")), "entries_sealed"),
    "a direct insert": (f"INSERT INTO entries SELECT ({row()}).*", PERMISSION),
    "an edit": ("UPDATE entries SET amount_micros = 9", PERMISSION),
    "a removal": ("DELETE FROM entries", PERMISSION),
    "all removed": ("TRUNCATE entries", PERMISSION),
    "a wallet made with money": (
        "INSERT INTO wallets (organization_id, balance_micros) VALUES ('org-3', 1)",
        PERMISSION,
    ),
    "a wallet removed": ("DELETE FROM wallets", PERMISSION),
    "a hold removed": ("DELETE FROM holds", PERMISSION),
    "a payment removed": ("DELETE FROM payments", PERMISSION),
    "a hold of nobody": (
        "INSERT INTO holds VALUES ('nobody', 'h', 1, 1, 0, 'OPEN', now(), '', NULL, now(), now())",
        "holds_wallet_exists",
    ),
    "a payment of nobody": (
        "INSERT INTO payments VALUES ('nobody', 'p', 1, 1, 0, 0, false)",
        "payments_wallet_exists",
    ),
    "less than nothing is kept": (
        "UPDATE wallets SET kept_micros = -1",
        "wallets_kept_not_negative",
    ),
    "less than nothing is at risk": (
        "UPDATE wallets SET at_risk_micros = -1",
        "wallets_at_risk_not_negative",
    ),
    "depleted below nothing": (
        "UPDATE wallets SET depleted_below_micros = 0",
        "wallets_depleted_below_positive",
    ),
    "resumed before it is depleted": (
        "UPDATE wallets SET depleted_below_micros = 9",
        "wallets_resume_not_below_depleted",
    ),
    "a hold of nothing": (
        "INSERT INTO holds VALUES ('org-1', 'h', 0, 0, 0, 'OPEN', now(), '', NULL, now(), now())",
        "holds_amount_positive",
    ),
    "a hold with more than it was placed with": (
        "UPDATE holds SET remaining_micros = 31",
        "holds_remaining_within_amount",
    ),
    "a hold with less than nothing": (
        "UPDATE holds SET remaining_micros = -1",
        "holds_remaining_within_amount",
    ),
    "less than nothing captured": (
        "UPDATE holds SET captured_micros = -1",
        "holds_captured_not_negative",
    ),
    "a hold that is over and has something": (
        "UPDATE holds SET state = 'RELEASED'",
        "holds_remaining_only_when_open",
    ),
    "a hold in no known state": (
        "UPDATE holds SET remaining_micros = 0, state = 'LOST'",
        "holds_state_known",
    ),
    "a hold twice": ("INSERT INTO holds SELECT * FROM holds", "holds_pkey"),
    "less than nothing credited": (
        "UPDATE payments SET credited_micros = -1, reversed_micros = 0",
        "payments_credited_not_negative",
    ),
    "more reversed than credited": (
        "UPDATE payments SET reversed_micros = 41",
        "payments_reversed_within_credited",
    ),
    "less than nothing at risk in a payment": (
        "UPDATE payments SET at_risk_micros = -1",
        "payments_at_risk_not_negative",
    ),
    "a payment twice": ("INSERT INTO payments SELECT * FROM payments", "payments_pkey"),
    "a sum of one's own": ("INSERT INTO ledger_sums VALUES ('org-1', 2, 9)", PERMISSION),
    "a repair that brings money": (repair(balance_after_micros="101"), REPAIRING),
    "a repair that forgives a debt": (repair(owed_after_micros="1"), REPAIRING),
    "a repair that is none": (repair(type="'TOP_UP'", amount_micros="5"), REPAIRING),
    "a repair after a gap": (repair(sequence="4"), REPAIRING),
    "a repair in place of an entry": (repair(sequence="2"), REPAIRING),
    "a repair of nobody": (
        repair(organization_id="'nobody'", sequence="1", balance_after_micros="0"),
        "repairs_have_a_wallet",
    ),
    "a constraint dropped": (
        "ALTER TABLE wallets DROP CONSTRAINT wallets_balance_not_negative",
        OWNER,
    ),
    "a function replaced": ("DROP FUNCTION append_entries(entries[])", OWNER),
    "constraints put off": ("SET session_replication_role = replica", PERMISSION),
    "a table of its own": ("CREATE TABLE mine ()", PERMISSION),
}


@pytest.fixture
async def role(wallet: WalletServiceStub, database: ServiceDatabase) -> AsyncIterator[Any]:
    """The service's own role in psql, beside a wallet with two entries; another has a hold too."""
    for organization_id in ("org-1", "org-2"):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(200, "in", organization_id))
        await wallet.Debit(debit(100, "out", organization_id))
    await wallet.PlaceHold(place(30, "hold", "org-2"))
    await wallet.ApplyPayment(payment(1, 40, organization_id="org-2"))
    connection = await asyncpg.connect(database.url)
    yield connection
    await connection.close()


async def test_the_database_refuses_what_the_service_must_never_ask_for(
    wallet: WalletServiceStub, role: Any
) -> None:
    before = await wallet_now(wallet)
    for what, (statement, defence) in REFUSED.items():
        with pytest.raises(asyncpg.PostgresError) as caught:
            await role.execute(statement)
        assert defence in (caught.value.constraint_name or str(caught.value)), what
    assert await wallet_now(wallet) == before
    assert not (await verify(wallet)).findings


# What the service's role may set; the rest stands for ever, or moves with an entry.
MAY_UPDATE = {
    "wallets": """
        kept_micros at_risk_micros depleted depleted_since depleted_below_micros
        resume_above_micros freezes level_revision subscription_revision subscription_state
        subscription_good_standing subscription_good_until next_hold_expire_time reevaluate_time
        create_time update_time
    """,
    "holds": """
        amount_micros remaining_micros captured_micros state expire_time description metadata
        create_time update_time
    """,
    "payments": "revision credited_micros reversed_micros at_risk_micros blocks_spending",
    "entries": "",
    "ledger_sums": "",
}
MAY_INSERT = {
    "wallets": "organization_id create_time update_time",
    "holds": "*",
    "payments": "*",
    "entries": "",
    "ledger_sums": "",
}
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = $1"


async def is_permitted(role: Any, statement: str) -> bool:
    """Tell whether the role may; what comes of it is undone."""
    trying = role.transaction()
    await trying.start()
    try:
        await role.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.IntegrityConstraintViolationError:
        return True
    finally:
        await trying.rollback()
    return True


@pytest.mark.parametrize("table", MAY_UPDATE)
async def test_the_services_role_may_write_what_it_must_and_nothing_else(
    wallet: WalletServiceStub, role: Any, superuser: Any, table: str
) -> None:
    columns = {row["column_name"] for row in await superuser.fetch(COLUMNS, table)}
    may_update, may_insert = {*MAY_UPDATE[table].split()}, {*MAY_INSERT[table].split()}
    assert may_update <= columns
    for column in columns:
        update = f"UPDATE {table} SET {column} = {column}"  # noqa: S608 - names of our own
        assert await is_permitted(role, update) is (column in may_update), column
        insert = f"INSERT INTO {table} ({column}) SELECT {column} FROM {table}"  # noqa: S608
        assert await is_permitted(role, insert) is bool({"*", column} & may_insert), column
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):  # noqa: S608
        assert not await is_permitted(role, statement)
    assert not (await verify(wallet, "")).findings


async def test_a_currency_is_set_once(wallet: WalletServiceStub, role: Any) -> None:
    await role.execute("SELECT open_wallet('org-1', 'EUR')")
    assert (await wallet_now(wallet)).currency_code == "USD"


async def test_a_sum_from_before_does_not_help_a_repair_that_brings_money(
    wallet: WalletServiceStub, role: Any
) -> None:
    await role.execute("SELECT sum_up_ledger('org-1')")
    await wallet.Debit(debit(5, "later"))
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await role.execute(repair(sequence="4"))
    assert caught.value.constraint_name == REPAIRING
    await role.execute(repair(sequence="4", balance_after_micros="95"))


async def test_what_the_database_cannot_refuse_does_not_prove_itself(
    wallet: WalletServiceStub, role: Any
) -> None:
    """Whoever has the role's password has not the key."""
    await role.execute(append(row()))
    assert (await wallet_now(wallet)).balance_micros == 105
    assert (await verify(wallet)).kinds == {"ENTRY_CHANGED"}
