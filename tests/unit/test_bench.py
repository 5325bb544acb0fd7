"""What the benchmark asks for, and what it makes of its figures."""

import asyncio
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from multidict import CIMultiDict
from rich.console import Console

from dev.bench.deliveries import ORGANIZATIONS, Delivery, by_paypal, by_stripe, deliveries
from dev.bench.delivering import IN_FLIGHT, WARM_UP_DELIVERIES, FailedDeliveryError, deliver_to_both
from dev.bench.ingest import credit_waits, last_hundredth
from dev.bench.large_ledger import LARGE_WALLET, turns
from dev.bench.load import drive, pace
from dev.bench.machine import Machine
from dev.bench.options import parse_options
from dev.bench.report import Report, table_of, write_report
from dev.bench.requests import (
    ASKING_ORGANIZATIONS,
    BATCH_SIZE,
    batches,
    debits,
    organization_of,
    sending_questions,
)
from dev.bench.rows import Figures, Goal, goals_for, median_figures, rows_of
from dev.simulators.paypal.certificates import keep_chain, make_chain
from libs.http import HttpEndpoint
from services.billing_gateway.domain.observations import Observed, PaymentPaid
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.signature import signed_message
from services.billing_gateway.paypal.signature.headers import read_headers
from services.billing_gateway.paypal.translation import translate_event as translate_paypal
from services.billing_gateway.stripe.signature import verify_signature
from services.billing_gateway.stripe.translation import TranslationRules
from services.billing_gateway.stripe.translation import translate_event as translate_stripe
from tollgate.telephony.v1.telephony_service_pb2 import CanOrganizationSendRequest
from tollgate.wallet.v1.wallet_service_pb2 import BatchDebitRequest, DebitRequest

AT_LEAST = Goal(
    what="ours ÷ theirs",
    unit="calls/s",
    ours="ours",
    against="theirs",
    against_unit="tx/s",
    least=0.5,
    aim=0.75,
)
AT_MOST = Goal(what="size", unit="bytes", ours="size", least=450, aim=300, at_most=True)


def report_of(*rounds: Figures) -> Report:
    return Report(
        date="2026-11-22T12:00:00+00:00",
        machine=Machine("Linux", cores=2, python="3.11.7", postgres="18.6", load_before=0.1),
        options=parse_options([]),
        postgres_settings={"max_wal_size": "4GB"},
        rounds=rounds,
    )


def test_a_ratio_is_that_of_the_medians() -> None:
    rounds = [
        {"ours": 60.0, "theirs": 100.0},
        {"ours": 1.0, "theirs": 90.0},
        {"ours": 70.0, "theirs": 1000.0},
    ]
    [row] = rows_of([AT_LEAST], median_figures(rounds))
    assert (row.ours, row.against, row.ratio) == (60.0, 100.0, 0.6)
    assert row.reaches_least
    assert not row.reaches_aim


def test_what_is_to_be_small_reaches_what_it_does_not_pass() -> None:
    [row] = rows_of([AT_MOST], {"size": 300.0})
    assert (row.against, row.ratio) == (None, 300.0)
    assert row.reaches_aim
    [row] = rows_of([AT_MOST], {"size": 450.5})
    assert not row.reaches_least


def test_a_part_that_is_not_ours_is_taken_off_before_the_comparison() -> None:
    [lone] = [goal for goal in goals_for(1, 1, 1) if goal.minus is not None]
    figures = dict(zip(lone.figures, (2500.0, 500.0, 1000.0), strict=True))
    [row] = rows_of([lone], figures)
    assert (row.ours, row.ratio) == (2000.0, 2.0)


def test_a_line_that_was_not_measured_is_left_out() -> None:
    assert rows_of([AT_LEAST, AT_MOST], {"ours": 1.0, "size": 1.0}) == rows_of(
        [AT_MOST], {"size": 1.0}
    )


def test_what_is_only_told_has_no_bounds_and_fails_none() -> None:
    told = Goal(what="wait", unit="ms", ours="wait", at_most=True)
    [row] = rows_of([told], {"wait": 1e9})
    assert row.reaches_least
    assert row.reaches_aim
    console = Console(file=io.StringIO(), record=True, width=200)
    console.print(table_of(report_of({"stripe_credited_p99_milliseconds": 1234.0})))
    [line] = [line for line in console.export_text().splitlines() if "p99" in line]
    assert line.strip().endswith("1 234 ms")


def test_the_table_says_what_is_reached_and_what_is_not() -> None:
    everything = {name: 1.0 for goal in goals_for(1, 1, 1) for name in goal.figures}
    measured = {**everything, "debits_per_second": 3200.0, "no_op_calls_per_second": 4000.0}
    console = Console(file=io.StringIO(), record=True, width=200)
    console.print(table_of(report_of(measured)))
    lines = console.export_text().splitlines()
    [line] = [line for line in lines if "Debit on one wallet" in line and "bare" in line]
    assert " ".join(line.split()).endswith("3 200 calls/s 4 000 calls/s 0.80 ≥ 0.70 ✓ ≥ 0.90 ✗")


def test_the_file_keeps_every_round(tmp_path: Path) -> None:
    rounds = [{"entry_bytes": 290.0}, {"entry_bytes": 310.0}, {"entry_bytes": 320.0}]
    write_report(tmp_path / "made" / "bench.json", report_of(*rounds))
    kept = json.loads((tmp_path / "made" / "bench.json").read_text())
    assert kept["rounds"] == rounds
    assert kept["medians"] == {"entry_bytes": 310.0}
    assert kept["machine"]["cores"] == 2
    assert [row["reaches_least"] for row in kept["rows"]] == [True]


def test_a_quick_run_can_be_told_more() -> None:
    options = parse_options(["--quick", "--rounds", "3", "--json", "figures.json"])
    assert options.rounds == 3
    assert options.json == Path("figures.json")
    assert options.entries < parse_options([]).entries


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--wallets", "none"]])
def test_a_run_of_nothing_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(arguments)


def test_debits_are_as_long_as_they_are_said_to_be() -> None:
    requests = [DebitRequest.FromString(body) for body in debits(2)]
    assert [len(request.organization_id) for request in requests] == [24, 24]
    assert [len(request.reference_id) for request in requests] == [36, 36]
    assert requests[0].reference_id != requests[1].reference_id


def test_batches_debit_all_wallets() -> None:
    requests = [BatchDebitRequest.FromString(body) for body in batches(wallet_count=10, count=2)]
    assert [len(request.debits) for request in requests] == [BATCH_SIZE, BATCH_SIZE]
    debited = {debit.organization_id for request in requests for debit in request.debits}
    assert debited == {organization_of(number) for number in range(10)}


def test_questions_are_those_of_many_organizations() -> None:
    asked = [CanOrganizationSendRequest.FromString(body) for body in sending_questions(5_000)]
    askers = {request.organization_id for request in asked}
    assert askers <= {organization_of(number) for number in range(ASKING_ORGANIZATIONS)}
    assert len(askers) > ASKING_ORGANIZATIONS / 2


def test_a_tenth_of_a_large_ledger_is_in_one_wallet() -> None:
    counts = Counter(turns(["small-1", "small-2", "small-3"], 30))
    assert counts == {LARGE_WALLET: 3, "small-1": 9, "small-2": 9, "small-3": 9}


async def test_no_more_calls_are_in_flight_than_asked_for() -> None:
    in_flight: set[bytes] = set()
    seen: list[int] = []

    async def call(request: bytes) -> None:
        in_flight.add(request)
        seen.append(len(in_flight))
        await asyncio.sleep(0)
        in_flight.remove(request)

    timing = await drive(call, [bytes([number]) for number in range(20)], in_flight=4)
    assert len(seen) == 20
    assert max(seen) == 4
    assert timing.calls_per_second > 0


async def test_driving_ends_when_the_time_is_up() -> None:
    async def call(_request: bytes) -> None:
        await asyncio.sleep(0)

    endless = iter(lambda: b"", None)
    await drive(call, endless, in_flight=2, seconds=0.01)


async def test_paced_calls_do_not_wait_for_each_other() -> None:
    together = asyncio.Barrier(5)

    async def call(_request: int) -> None:
        await together.wait()

    async with asyncio.timeout(30):
        await pace(call, range(5), per_second=1_000)


async def test_one_failed_call_fails_the_measurement() -> None:
    async def call(request: bytes) -> None:
        if request == b"bad":
            raise ValueError

    with pytest.raises(ExceptionGroup):
        await drive(call, [b"good", b"bad", b"good"], in_flight=2)


def parsed(delivery: Delivery) -> tuple[str, CIMultiDict[str], bytes]:
    """The path, the headers and the body of a request."""
    head, _, body = delivery.request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = CIMultiDict[str]()
    for line in lines:
        name, _, value = line.partition(": ")
        headers.add(name, value)
    assert int(headers["Content-Length"]) == len(body)
    return first.split(" ")[1], headers, body


def test_deliveries_of_stripe_are_signed_top_ups() -> None:
    [delivery] = deliveries(by_stripe("whsec_of_a_test"), 1)
    path, headers, body = parsed(delivery)
    now = datetime.now(UTC)
    verify_signature(headers, body, ["whsec_of_a_test"], now, timedelta(minutes=5))
    translation = translate_stripe(
        body, now, TranslationRules(livemode=False, blocking_fraud_types=frozenset())
    )
    assert path == "/webhooks/stripe"
    assert isinstance(translation, Observed)
    [paid] = [each for each in translation.observations if isinstance(each, PaymentPaid)]
    assert paid.claim is not None
    assert paid.claim.organization_id == organization_of(0)
    assert delivery.payment_id == f"stripe:{paid.objects[0].object_id}"


def test_deliveries_of_paypal_are_signed_captures(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    chain = make_chain(ADDRESSES[Environment.SANDBOX].certificate_name, now)
    keep_chain(tmp_path, chain)
    [delivery] = deliveries(by_paypal(tmp_path, "WEBHOOK1"), 1)
    path, headers, body = parsed(delivery)
    sent = read_headers(headers, Environment.SANDBOX)
    message = signed_message(sent.transmission_id, sent.time_text, "WEBHOOK1", body)
    chain.leaf.key.public_key().verify(sent.signature, message, PKCS1v15(), SHA256())
    translation = translate_paypal(body, now, Environment.SANDBOX)
    assert path == "/webhooks/paypal"
    assert isinstance(translation, Observed)
    [paid] = [each for each in translation.observations if isinstance(each, PaymentPaid)]
    assert paid.claim is not None
    assert paid.claim.organization_id == organization_of(0)
    assert delivery.payment_id == f"paypal:{paid.objects[0].object_id}"


def test_deliveries_are_spread_over_all_organizations() -> None:
    counts = Counter[str]()

    def make(organization_id: str) -> Delivery:
        counts[organization_id] += 1
        return Delivery(organization_id, b"")

    assert len(list(deliveries(make, 2 * ORGANIZATIONS))) == 2 * ORGANIZATIONS
    assert counts == {organization_of(number): 2 for number in range(ORGANIZATIONS)}


async def serve(application: web.Application) -> HttpEndpoint:
    endpoint = HttpEndpoint(application, "127.0.0.1:0")
    await endpoint.start()
    return endpoint


async def answer_with(status: int, bodies: list[bytes]) -> HttpEndpoint:
    """A door that keeps what it is sent."""

    async def keep(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=status)

    application = web.Application()
    application.router.add_post("/webhooks/stripe", keep)
    return await serve(application)


async def test_the_same_bytes_go_to_the_bare_handler_and_to_the_gateway() -> None:
    made = list(deliveries(by_stripe("whsec_of_a_test"), WARM_UP_DELIVERIES + 2 * IN_FLIGHT))
    kept: tuple[list[bytes], list[bytes]] = ([], [])
    bare, gateway = [await answer_with(200, bodies) for bodies in kept]
    delivered = await deliver_to_both(f"127.0.0.1:{bare.port}", f"127.0.0.1:{gateway.port}", made)
    for endpoint in (bare, gateway):
        await endpoint.stop()
    assert sorted(kept[0]) == sorted(kept[1])
    assert len(kept[0]) == len(made)
    counted = {each.payment_id for each in made[WARM_UP_DELIVERIES:]}
    assert delivered.answer_times.keys() == counted


async def test_a_refused_delivery_fails_the_measurement() -> None:
    made = list(deliveries(by_stripe("whsec_of_a_test"), WARM_UP_DELIVERIES))
    refusing = await answer_with(503, [])
    address = f"127.0.0.1:{refusing.port}"
    with pytest.raises(ExceptionGroup) as failed:
        await deliver_to_both(address, address, made)
    await refusing.stop()
    assert failed.group_contains(FailedDeliveryError)


def test_money_is_on_its_way_from_the_answer_to_the_entry() -> None:
    waits = credit_waits({"a": 10.0, "b": 20.0}, {"b": 20.5, "a": 9.99})
    assert waits == [0.0, 0.5]
    assert last_hundredth([float(number) for number in range(101)]) == 99.0
