"""Requests against the rules that stand beside their fields."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgumentError
from libs.rpc.rules import check_request
from tollgate.billing_gateway.v1 import billing_gateway_service_payments_pb2, provider_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import (
    ledger_pb2,
    wallet_observer_service_pb2,
    wallet_pb2,
    wallet_service_holds_pb2,
    wallet_service_ledger_pb2,
    wallet_service_pb2,
)

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def debit(**changes: object) -> wallet_service_pb2.DebitRequest:
    request = wallet_service_pb2.DebitRequest(
        organization_id="org-1", amount_micros=1, currency_code="USD", reference_id="msg-1"
    )
    metadata = changes.pop("metadata", {})
    for name, value in changes.items():
        setattr(request, name, value)
    assert isinstance(metadata, dict)
    request.metadata.update(metadata)
    return request


def hold(ttl: Duration | None) -> wallet_service_holds_pb2.PlaceHoldRequest:
    return wallet_service_holds_pb2.PlaceHoldRequest(
        organization_id="org-1",
        amount_micros=1,
        currency_code="USD",
        reference_id="msg-1",
        ttl=ttl,
    )


def batch(count: int) -> wallet_service_pb2.BatchDebitRequest:
    return wallet_service_pb2.BatchDebitRequest(debits=[debit()] * count)


def top_up(return_url: str) -> billing_gateway_service_payments_pb2.CreateTopUpRequest:
    return billing_gateway_service_payments_pb2.CreateTopUpRequest(
        organization_id="org-1",
        provider=provider_pb2.PROVIDER_STRIPE,
        reference_id="order-1",
        amount_micros=1,
        currency_code="USD",
        return_url=return_url,
        cancel_url="https://platform.example/back",
    )


def violations(request: object) -> list[str]:
    with pytest.raises(InvalidArgumentError) as caught:
        check_request(request)  # type: ignore[arg-type]
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize(
    "request_",
    [
        debit(),
        debit(amount_micros=INT64_MAX),
        debit(organization_id="A-Za_z0.9:" + "x" * 118),
        debit(description="d" * 1000, metadata={"k" * 64: "v" * 1936}),
        wallet_service_pb2.ListEntriesRequest(organization_id="org-1", page_size=500),
        wallet_service_pb2.FreezeWalletRequest(
            organization_id="org-1", reason=wallet_pb2.FREEZE_REASON_OPERATOR
        ),
        wallet_service_pb2.UpdateWalletRequest(organization_id="org-1"),
        wallet_service_pb2.UpdateWalletRequest(organization_id="org-1", resume_above_micros=1),
        hold(Duration(seconds=1)),
        hold(Duration(seconds=86_400)),
        hold(Duration(seconds=1, nanos=999_999_999)),
        batch(1),
        batch(1000),
        wallet_service_pb2.BatchDebitRequest(debits=[wallet_service_pb2.DebitRequest()]),
        ledger_pb2.ChainHead(organization_id="org-1", sequence=1, chain=b"\0" * 1000),
        wallet_service_ledger_pb2.GetBalanceAtRequest(organization_id="org-1", time=Timestamp()),
    ],
)
def test_what_keeps_the_rules_passes(request_: wallet_service_pb2.DebitRequest) -> None:
    check_request(request_)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"organization_id": ""}, "organization_id"),
        ({"organization_id": "with space"}, "organization_id"),
        ({"organization_id": "x" * 10_000}, "organization_id"),
        ({"organization_id": "org-1\n"}, "organization_id"),
        ({"organization_id": "\u00f6rg"}, "organization_id"),
        ({"organization_id": "org\0"}, "organization_id"),
        ({"reference_id": ""}, "reference_id"),
        ({"amount_micros": 0}, "amount_micros"),
        ({"amount_micros": -1}, "amount_micros"),
        ({"amount_micros": INT64_MIN}, "amount_micros"),
        ({"currency_code": "usd"}, "currency_code"),
        ({"currency_code": "USDT"}, "currency_code"),
        ({"currency_code": "QQQ"}, "currency_code"),
        ({"currency_code": ""}, "currency_code"),
        ({"description": "d" * 1001}, "description"),
        ({"description": "\u00e9" * 501}, "description"),
        ({"description": "nul\0"}, "description"),
        ({"metadata": {str(n): "" for n in range(21)}}, "metadata"),
        ({"metadata": {"": "v"}}, "metadata"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 2000}}, "metadata"),
        ({"metadata": {"k": "\0"}}, "metadata"),
    ],
)
def test_what_breaks_a_rule_is_named(changes: dict[str, object], field: str) -> None:
    assert field in violations(debit(**changes))


def test_every_violation_is_named_at_once() -> None:
    assert violations(wallet_service_pb2.DebitRequest()) == [
        "organization_id",
        "amount_micros",
        "currency_code",
        "reference_id",
    ]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (
            wallet_service_pb2.ListEntriesRequest(organization_id="o", page_size=501),
            "page_size",
        ),
        (wallet_service_pb2.ListEntriesRequest(organization_id="o", page_size=-1), "page_size"),
        (wallet_service_pb2.ListEntriesRequest(organization_id="o", type=99), "type"),  # type: ignore[arg-type]
        (
            wallet_service_pb2.ListEntriesRequest(
                organization_id="o", start_time=Timestamp(seconds=INT64_MAX)
            ),
            "start_time",
        ),
        (
            wallet_service_pb2.ListEntriesRequest(
                organization_id="o", start_time=Timestamp(seconds=-62_135_596_800)
            ),
            "start_time",
        ),
        (
            wallet_service_pb2.ListEntriesRequest(
                organization_id="o", end_time=Timestamp(seconds=253_402_300_799)
            ),
            "end_time",
        ),
        (
            wallet_service_pb2.ListEntriesRequest(
                organization_id="o", end_time=Timestamp(nanos=-1)
            ),
            "end_time",
        ),
        (wallet_service_pb2.FreezeWalletRequest(organization_id="o"), "reason"),
        (
            wallet_observer_service_pb2.ReportWalletRequest(
                organization_id="o",
                revision=1,
                freeze_reasons=[99],  # type: ignore[list-item]
                ledger_currency_code="USD",
            ),
            "freeze_reasons",
        ),
        (
            wallet_observer_service_pb2.ReportWalletRequest(
                organization_id="o",
                revision=1,
                freeze_reasons=[wallet_pb2.FREEZE_REASON_UNSPECIFIED],
                ledger_currency_code="USD",
            ),
            "freeze_reasons",
        ),
        (hold(None), "ttl"),
        (hold(Duration()), "ttl"),
        (hold(Duration(nanos=999_999_999)), "ttl"),
        (hold(Duration(seconds=-1)), "ttl"),
        (hold(Duration(seconds=86_400, nanos=1)), "ttl"),
        (hold(Duration(seconds=365 * 86_400)), "ttl"),
        (hold(Duration(seconds=2, nanos=-1)), "ttl"),
        (hold(Duration(seconds=1, nanos=1_000_000_000)), "ttl"),
        (hold(Duration(seconds=INT64_MAX)), "ttl"),
        (batch(0), "debits"),
        (batch(1001), "debits"),
        (
            wallet_service_pb2.UpdateWalletRequest(organization_id="o", resume_above_micros=0),
            "resume_above_micros",
        ),
        (ledger_pb2.ChainHead(organization_id="o", sequence=1), "chain"),
        (ledger_pb2.ChainHead(organization_id="o", sequence=1, chain=b"c" * 1001), "chain"),
        (wallet_service_ledger_pb2.GetBalanceAtRequest(organization_id="o"), "time"),
        (
            wallet_service_ledger_pb2.VerifyLedgerRequest(heads=[ledger_pb2.ChainHead()] * 1001),
            "heads",
        ),
        (telephony_service_pb2.GetSubaccountRequest(account_sid="AC" + "g" * 32), "account_sid"),
    ],
)
def test_other_kinds_of_fields(request_: object, field: str) -> None:
    assert violations(request_) == [field]


@pytest.mark.parametrize(
    "url",
    [
        "https://platform.example",
        "http://localhost:8000/paid",
        "https://[::1]:8443/paid?of=org-1#top",
        "https://platform.example/paid?session={CHECKOUT_SESSION_ID}",
        "https://platform.example/" + "x" * 975,
    ],
)
def test_an_absolute_url_is_taken(url: str) -> None:
    check_request(top_up(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "platform.example/paid",
        "/paid",
        "//platform.example/paid",
        "javascript:alert(1)",
        "ftp://platform.example",
        "https://",
        "https:///paid",
        "https://user@platform.example",
        "https://user:word@platform.example/paid",
        "https://platform.example\\@other.example",
        "https://platform.example:port/paid",
        "https://platform.example/a b",
        "https://platform.example/paid\n",
        "https://pl\u00e4tform.example/paid",
        "https://platform.example/" + "x" * 976,
    ],
)
def test_what_is_no_absolute_url_is_refused(url: str) -> None:
    assert violations(top_up(url)) == ["return_url"]
