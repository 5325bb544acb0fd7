"""What no caller should send: a clear error each time, and nothing changed in the database."""

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.wallet.app import build
from tests.integration.wallet.commands import FINE, SERVICE, changed, send
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
from tollgate.options.v1 import rules_pb2
from tollgate.wallet.v1 import ledger_pb2, wallet_pb2, wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MEGABYTE = "m" * 2**20
NO_IDS = ["org 1", "org-\u00e9", "org\0", "o" * 129, MEGABYTE, "../org", "o\n"]
NO_TEXTS = ["t" * 1001, "\u00e9" * 501, MEGABYTE, "nul\0"]
NO_AMOUNTS = [0, -1, INT64_MIN]
NO_LEVELS = [-1, INT64_MIN]
NO_TIMES = [
    Timestamp(seconds=INT64_MIN),
    Timestamp(seconds=-2_208_988_801),
    Timestamp(seconds=253_370_764_800),
    Timestamp(seconds=1, nanos=-1),
    Timestamp(seconds=1, nanos=1_000_000_000),
]
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
NO_ENUM = [99, -1]
# Beside them, what is required is left out.
BAD_VALUES: dict[str, Sequence[Any]] = {
    "organization_id": NO_IDS,
    "reference_id": NO_IDS,
    "hold_reference_id": NO_IDS,
    "payment_id": NO_IDS,
    "currency_code": ["usd", "US", "USDD", "XXZ", "\u20ac", "USD\0", MEGABYTE],
    "amount_micros": NO_AMOUNTS,
    "delta_micros": [0],
    "credited_micros": NO_LEVELS,
    "reversed_micros": NO_LEVELS,
    "at_risk_micros": NO_LEVELS,
    "depleted_below_micros": NO_AMOUNTS,
    "resume_above_micros": NO_AMOUNTS,
    "revision": [0, -1, INT64_MIN, 2**62 + 1, INT64_MAX],
    "ttl": NO_TTLS,
    "metadata": NO_METADATA,
    "debits": [[debit(1, f"many-{number}") for number in range(1001)]],
    "heads": [[ledger_pb2.ChainHead()] * 1001],
    "page_size": [-1, 501, -(2**31), 2**31 - 1],
    "page_token": ["made up", MEGABYTE],
    **dict.fromkeys(("description", "justification", "note", "actor"), NO_TEXTS),
    **dict.fromkeys(("type", "reason", "freeze_reason", "state", "bucket"), NO_ENUM),
    **dict.fromkeys(("time", "start_time", "end_time", "frozen_before"), NO_TIMES),
}


def bad_values(field: FieldDescriptor) -> Iterator[Any]:
    if field.GetOptions().Extensions[rules_pb2.rules].required:
        yield None
    if field.type != FieldDescriptor.TYPE_BOOL:
        yield from BAD_VALUES[field.name]


def worse(name: str) -> list[tuple[str, Message]]:
    """Return requests of an rpc with one bad field each, and the field's name."""
    fine: Any = FINE[name]
    return [
        (field.name, changed(fine, **{field.name: value}))
        for field in fine.DESCRIPTOR.fields
        for value in bad_values(field)
    ]


def is_named(found: Refusal, field: str) -> bool:
    """Tell whether a refusal says that this field is wrong."""
    return (found.code, found.reason, found.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_ARGUMENT",
        [field],
    )


def test_every_rpc_is_tried() -> None:
    assert {method.name for method in SERVICE.methods} == set(FINE)


async def test_what_is_to_be_spoiled_is_fine(wallet: WalletServiceStub) -> None:
    await write_story(wallet)
    for name, request in FINE.items():
        await send(wallet, name, request)


async def test_a_field_that_breaks_its_rule_is_named(unchanged: WalletServiceStub) -> None:
    for name in FINE:
        for field, request in worse(name):
            found = await refusal(send(unchanged, name, request))
            assert is_named(found, field), (name, str(request)[:1000], found)


async def test_a_debit_in_a_batch_that_breaks_a_rule_is_named(unchanged: WalletServiceStub) -> None:
    # What is too long for one message is left out.
    bad = [(field, debit) for field, debit in worse("Debit") if debit.ByteSize() < len(MEGABYTE)]
    request = changed(FINE["BatchDebit"], debits=[debit for _, debit in bad])
    assert isinstance(request, wallet_service_pb2.BatchDebitRequest)
    results = (await unchanged.BatchDebit(request)).results
    for result, (field, _) in zip(results, bad, strict=True):
        assert is_named(read_status(result.error), field)


NO_MESSAGES = [b"\xff", b"\x0a\x7f", b"\x00", b"\x0f" * 1000]
ORGANIZATION_OF_NO_UTF8 = b"\x0a\x01\xff"


async def test_what_cannot_be_decoded_is_refused(
    unchanged: WalletServiceStub, channel: grpc.aio.Channel
) -> None:
    for name, fine in FINE.items():
        # A stream that is refused has no message either.
        call: Any = channel.unary_unary(f"/{SERVICE.full_name}/{name}")
        has_organization = "organization_id" in fine.DESCRIPTOR.fields_by_name
        for body in [*NO_MESSAGES, *[ORGANIZATION_OF_NO_UTF8] * has_organization]:
            assert is_named(await refusal(call(body)), "request"), (name, body)


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
