"""What no caller should send: a clear error each time, and nothing changed in the database."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from services.wallet.app import build
from tests.integration.wallet.commands import FINE, changed
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import contents, write_story
from tests.integration.wallet.requests import (
    ORGANIZATION,
    credit,
    debit,
    entries_of,
    open_wallet,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import Refusal, read_status, refusal
from tests.support.grpcurl import grpcurl, needs_grpcurl
from tests.support.services import running
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

SERVICE = wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MEGABYTE = "m" * 2**20
NO_IDS = ["org 1", "org-\u00e9", "org\0", "o" * 129, MEGABYTE, "../org", "o\n"]
NO_TEXTS = ["t" * 1001, "\u00e9" * 501, MEGABYTE, "nul\0"]
NO_AMOUNTS = [0, -1, INT64_MIN]
NO_TTLS = [
    Duration(),
    Duration(seconds=-1),
    Duration(nanos=999_999_999),
    Duration(seconds=86_400, nanos=1),
    Duration(seconds=31_536_000),
    Duration(seconds=INT64_MAX),
    Duration(seconds=1, nanos=-1),
    Duration(seconds=1, nanos=2_000_000_000),
]
NO_METADATA = [
    {"key": MEGABYTE},
    {MEGABYTE: "value"},
    {"": "value"},
    {"k" * 65: "value"},
    {"key": "nul\0"},
    {"nul\0": "value"},
    {"key": "v" * 1998},
    {str(number): "" for number in range(21)},
]
BAD_VALUES: dict[str, Sequence[Any]] = {
    "organization_id": ["", *NO_IDS],
    "reference_id": NO_IDS,
    "hold_reference_id": ["", *NO_IDS],
    "payment_id": ["", *NO_IDS],
    "currency_code": ["", "usd", "US", "USDD", "XXZ", "\u20ac", "USD\0", MEGABYTE],
    "amount_micros": NO_AMOUNTS,
    "delta_micros": [0],
    "credited_micros": [-1, INT64_MIN],
    "reversed_micros": [-1, INT64_MIN],
    "at_risk_micros": [-1, INT64_MIN],
    "depleted_below_micros": NO_AMOUNTS,
    "resume_above_micros": NO_AMOUNTS,
    "revision": [0, -1, INT64_MIN, 2**62 + 1, INT64_MAX],
    "type": [0, 4, 99, -1],
    "reason": [0, 5, 99, -1, wallet_pb2.FREEZE_REASON_SUBSCRIPTION_INACTIVE],
    "ttl": NO_TTLS,
    "description": NO_TEXTS,
    "justification": ["", *NO_TEXTS],
    "note": NO_TEXTS,
    "actor": NO_TEXTS,
    "metadata": NO_METADATA,
    "debits": [[], [debit(1, f"many-{number}") for number in range(1001)]],
}
# A freeze may do without a reference; a command that moves money may not.
WITHOUT_REFERENCE = {"FreezeWallet", "UnfreezeWallet"}


def bad_values(name: str, field: FieldDescriptor) -> Sequence[Any]:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return []
    needs_reference = field.name == "reference_id" and name not in WITHOUT_REFERENCE
    return [*BAD_VALUES[field.name], *([""] if needs_reference else [])]


def worse(name: str) -> list[tuple[str, Message]]:
    """Return requests of an rpc with one bad field each, and the field's name."""
    fine: Any = FINE[name]
    return [
        (field.name, changed(fine, **{field.name: value}))
        for field in fine.DESCRIPTOR.fields
        for value in bad_values(name, field)
    ]


def is_named(found: Refusal, field: str) -> bool:
    """Tell whether a refusal says that this field is wrong."""
    return (found.code, found.reason, found.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_ARGUMENT",
        [field],
    )


def test_every_rpc_that_changes_anything_is_tried() -> None:
    reading = ("Get", "List", "Verify")
    assert {m.name for m in SERVICE.methods if not m.name.startswith(reading)} == set(FINE)


@pytest.mark.parametrize("name", FINE)
async def test_a_field_that_breaks_its_rule_is_named(
    unchanged: WalletServiceStub, name: str
) -> None:
    for field, request in worse(name):
        found = await refusal(getattr(unchanged, name)(request))
        assert is_named(found, field), (field, found)


@pytest.mark.parametrize("name", FINE)
async def test_the_same_request_without_a_bad_field_is_fine(
    wallet: WalletServiceStub, name: str
) -> None:
    await write_story(wallet)
    await getattr(wallet, name)(FINE[name])


async def test_a_debit_in_a_batch_that_breaks_a_rule_is_named(unchanged: WalletServiceStub) -> None:
    # What is too long for one message is left out.
    bad = [(field, debit) for field, debit in worse("Debit") if debit.ByteSize() < len(MEGABYTE)]
    request = changed(FINE["BatchDebit"], debits=[debit for _, debit in bad])
    assert isinstance(request, wallet_service_pb2.BatchDebitRequest)
    results = (await unchanged.BatchDebit(request)).results
    for result, (field, _) in zip(results, bad, strict=True):
        assert is_named(read_status(result.error), field)


@pytest.mark.parametrize("name", FINE)
async def test_what_cannot_be_decoded_is_refused(
    unchanged: WalletServiceStub, channel: grpc.aio.Channel, name: str
) -> None:
    send: Any = channel.unary_unary(f"/{SERVICE.full_name}/{name}")
    for body in (b"\xff", b"\x0a\x7f", b"\x0a\x01\xff", b"\x00", b"\x0f" * 1000):
        assert is_named(await refusal(send(body)), "request"), body
    # Nothing at all is a request without its fields.
    assert (await refusal(send(b""))).reason == "INVALID_ARGUMENT"


TEXTS = [
    "Gr\u00fc\u00dfe \u2014 \u05e9\u05dc\u05d5\u05dd \u4f60\u597d \U0001f44b\U0001f3fd",
    "e\u0301 and \u00e9 are two texts",
    "\u202eright to left\u202c, \u200bnothing, \ufeffa mark, \ud7ff\ue000\U0010ffff",
    "'; DROP TABLE entries; --",
    '{"a": null} \\u0000 \\x00 %s $1 {0}',
    "tab\t line\r\n bell\a escape\x1b",
    "NaN",
    " ",
    "\u00e9" * 500,
]


async def test_any_text_is_kept_as_it_was_sent(wallet: WalletServiceStub) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000, "in"))
    debits = [
        changed(debit(1, f"text-{number}"), description=text, metadata={text[:64]: text, "key": ""})
        for number, text in enumerate(TEXTS)
    ]
    for request in debits:
        await wallet.Debit(request)
    listed = await entries_of(wallet, type=wallet_pb2.ENTRY_TYPE_DEBIT)
    kept = {entry.reference_id: (entry.description, entry.metadata) for entry in listed}
    assert kept == {each.reference_id: (each.description, each.metadata) for each in debits}
    assert all([(await wallet.Debit(request)).replayed for request in debits])


NO_NUMBERS = [
    "NaN",
    '"NaN"',
    '"Infinity"',
    '"-Infinity"',
    "1.5",
    '"1.5"',
    "1e400",
    "9223372036854775808",
    '"9223372036854775808"',
    "-9223372036854775809",
    '"0x10"',
    '""',
    '"one"',
    "true",
    "{}",
    "null",
    "0",
    "-1",
]


@needs_grpcurl
async def test_what_is_no_amount_moves_nothing(database: ServiceDatabase, superuser: Any) -> None:
    service = await build(wallet_settings(database))
    async with running(service) as channel:
        await write_story(WalletServiceStub(channel))
        before = await contents(superuser)
        for number in NO_NUMBERS:
            request = (
                f'{{"organizationId": "{ORGANIZATION}", "amountMicros": {number},'
                ' "currencyCode": "USD", "referenceId": "new", "type": "CREDIT_TYPE_TOP_UP"}'
            )
            address = f"127.0.0.1:{service.port}"
            printed = await grpcurl("-d", request, address, f"{SERVICE.full_name}/Credit")
            assert printed.code != 0, number
        assert await contents(superuser) == before
