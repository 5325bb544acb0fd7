"""Trouble that may pass is got over for the callers, and never told as a refusal."""

import asyncio
from typing import Any

import pytest

from libs.database import ATTEMPTS_MAX
from tests.integration.wallet.ledgers import payment, repair, verify, write_story
from tests.integration.wallet.requests import credit, debit, open_wallet, wallet_now
from tests.support.errors import refusal
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
LOCK_NOT_AVAILABLE = "55P03"

# What is undone does not take back the numbers of a sequence.
FAIL_FIRST_TIMES = """
CREATE SEQUENCE failures;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('failures') <= {times} THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = '{code}';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER fail AFTER INSERT ON entries FOR EACH STATEMENT EXECUTE FUNCTION fail();
"""

CODES = pytest.mark.parametrize(
    "code", [SERIALIZATION_FAILURE, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE]
)


@CODES
async def test_a_transaction_that_fails_by_chance_is_done_again(
    wallet: WalletServiceStub, superuser: Any, code: str
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000, "in"))
    await superuser.execute(FAIL_FIRST_TIMES.format(times=ATTEMPTS_MAX - 1, code=code))
    debits = [debit(1, f"msg-{number}") for number in range(100)]
    new = wallet.ApplyPayment(payment(1, 70, organization_id="org-new"))
    answers = await asyncio.gather(*map(wallet.Debit, debits))
    assert [each.amount_micros for each in (await new).entries] == [70]
    assert not any(answer.replayed for answer in answers)
    assert (await wallet_now(wallet)).balance_micros == 900
    assert not (await verify(wallet)).findings


async def test_a_repair_that_fails_by_chance_is_done_again_and_once(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    await write_story(wallet)
    await superuser.execute("UPDATE holds SET captured_micros = 0, remaining_micros = 0")
    found = await verify(wallet)
    code = SERIALIZATION_FAILURE
    await superuser.execute(FAIL_FIRST_TIMES.format(times=ATTEMPTS_MAX - 1, code=code))
    repaired = await repair(wallet)
    assert len(repaired.findings) == len(found.findings)
    assert len(repaired.entries) == 1
    assert not (await verify(wallet)).kinds


@CODES
async def test_one_that_fails_again_and_again_is_told_as_trouble_and_leaves_nothing(
    wallet: WalletServiceStub, superuser: Any, code: str
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000, "in"))
    await superuser.execute(FAIL_FIRST_TIMES.format(times=ATTEMPTS_MAX, code=code))
    found = await refusal(wallet.Debit(debit(1, "msg")))
    assert (found.code.name, found.reason) == ("UNAVAILABLE", "DATABASE_UNAVAILABLE")
    assert (await wallet_now(wallet)).entry_count == 1
    assert not (await wallet.Debit(debit(1, "msg"))).replayed
