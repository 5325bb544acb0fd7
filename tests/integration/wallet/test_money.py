"""Money through the whole wallet: channel, boundary, decision, PostgreSQL."""

import asyncio
from itertools import count

import grpc

from tests.support.errors import refusal
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ORGANIZATION = "org-1"
ROUNDS = 1000


async def open_wallet(wallet: WalletServiceStub, organization_id: str = ORGANIZATION) -> None:
    await wallet.CreateWallet(
        wallet_service_pb2.CreateWalletRequest(organization_id=organization_id, currency_code="USD")
    )


def credit(amount_micros: int, reference_id: str) -> wallet_service_pb2.CreditRequest:
    return wallet_service_pb2.CreditRequest(
        organization_id=ORGANIZATION,
        amount_micros=amount_micros,
        currency_code="USD",
        reference_id=reference_id,
        type=wallet_service_pb2.CREDIT_TYPE_TOP_UP,
    )


def debit(amount_micros: int, reference_id: str) -> wallet_service_pb2.DebitRequest:
    return wallet_service_pb2.DebitRequest(
        organization_id=ORGANIZATION,
        amount_micros=amount_micros,
        currency_code="USD",
        reference_id=reference_id,
    )


async def balance_of(wallet: WalletServiceStub) -> int:
    answer = await wallet.GetWallet(
        wallet_service_pb2.GetWalletRequest(organization_id=ORGANIZATION)
    )
    return answer.wallet.balance_micros


async def test_two_debits_of_the_whole_balance_never_both_succeed(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    numbers = count()
    for _ in range(ROUNDS):
        number = next(numbers)
        await wallet.Credit(credit(7_500, f"in-{number}"))
        answers = await asyncio.gather(
            wallet.Debit(debit(7_500, f"a-{number}")),
            wallet.Debit(debit(7_500, f"b-{number}")),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert [error.code() for error in refused] == [grpc.StatusCode.FAILED_PRECONDITION]
        assert await balance_of(wallet) == 0


async def test_a_retried_debit_hears_its_first_answer_although_the_wallet_is_empty_and_frozen(
    wallet: WalletServiceStub,
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(7_500, "in"))
    first = await wallet.Debit(debit(7_500, "msg-1"))
    await wallet.FreezeWallet(
        wallet_service_pb2.FreezeWalletRequest(
            organization_id=ORGANIZATION, reason=wallet_pb2.FREEZE_REASON_OPERATOR
        )
    )

    again = await wallet.Debit(debit(7_500, "msg-1"))

    assert again.entry == first.entry
    assert again.replayed
    assert not first.replayed


async def test_a_reference_with_another_amount_is_a_conflict(wallet: WalletServiceStub) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(10_000, "in"))
    await wallet.Debit(debit(7_500, "msg-1"))

    found = await refusal(wallet.Debit(debit(7_400, "msg-1")))

    assert found.code is grpc.StatusCode.ALREADY_EXISTS
    assert found.reason == "REFERENCE_CONFLICT"
    assert found.metadata == {"referenceId": "msg-1", "differingFields": "amount_micros"}
    assert await balance_of(wallet) == 2_500
