"""The requests of every measurement: the same organizations, amounts and references."""

import random
import uuid

from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

CURRENCY_CODE = "USD"
PRICE_MICROS = 7_500
# What each wallet has at the start; no measurement spends it.
FUNDS_MICROS = 10**15
BATCH_SIZE = 1_000
ASKING_ORGANIZATIONS = 1_000


def organization_of(number: int) -> str:
    """An id of 24 characters."""
    return f"organization-{number:011}"


def account_sid_of(number: int) -> str:
    """Of an organization's one subaccount."""
    return f"AC{number:032x}"


def sending_questions(count: int) -> list[bytes]:
    """Requests of CanOrganizationSend, ready to be sent; chance says who asks."""
    bodies = [sending_question(each).SerializeToString() for each in range(ASKING_ORGANIZATIONS)]
    return random.choices(bodies, k=count)


def sending_question(number: int) -> telephony_service_pb2.CanOrganizationSendRequest:
    return telephony_service_pb2.CanOrganizationSendRequest(organization_id=organization_of(number))


def debits(count: int) -> list[bytes]:
    """Requests of Debit of one wallet, ready to be sent."""
    return [debit(organization_of(0)).SerializeToString() for _ in range(count)]


def batches(wallet_count: int, count: int) -> list[bytes]:
    """Requests of BatchDebit, ready to be sent; chance says which wallet each debit is for."""
    organization_ids = [organization_of(number) for number in range(wallet_count)]
    return [_batch(organization_ids).SerializeToString() for _ in range(count)]


def debit(organization_id: str) -> wallet_service_pb2.DebitRequest:
    return wallet_service_pb2.DebitRequest(
        organization_id=organization_id,
        amount_micros=PRICE_MICROS,
        currency_code=CURRENCY_CODE,
        reference_id=str(uuid.uuid4()),
    )


def payment(organization_id: str, micros: int) -> wallet_service_pb2.ApplyPaymentRequest:
    """Opens a wallet and fills it."""
    return wallet_service_pb2.ApplyPaymentRequest(
        organization_id=organization_id,
        payment_id="bench",
        revision=1,
        currency_code=CURRENCY_CODE,
        credited_micros=micros,
    )


def _batch(organization_ids: list[str]) -> wallet_service_pb2.BatchDebitRequest:
    chosen = random.choices(organization_ids, k=BATCH_SIZE)
    return wallet_service_pb2.BatchDebitRequest(debits=[debit(each) for each in chosen])
