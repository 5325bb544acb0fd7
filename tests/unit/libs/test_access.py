"""Who may call what is read from the contract, and who calls from a certificate."""

from contextlib import suppress

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default
from hypothesis import given
from hypothesis import strategies as st

from dev.access_table import services
from libs.config import is_loopback
from libs.errors import OverloadedError
from libs.rpc.access import AccessMissingError, roles_of_methods
from libs.rpc.callers import ROLES, UnknownCallerError, read_uris
from libs.rpc.limits import CallerLimits
from tollgate.options.v1 import access_pb2

SERVICE_NAMES = [service.full_name for service in services()]
READING = ("Get", "List", "Can", "Watch", "Verify", "Compare")


def methods_of(role: str) -> set[str]:
    """Return the names of what a role may call."""
    roles = roles_of_methods(SERVICE_NAMES)
    return {path.rpartition("/")[2] for path, callers in roles.items() if ROLES[role] in callers}


def test_who_only_reads_changes_nothing() -> None:
    assert all(name.startswith(READING) for name in methods_of("operator_reader"))


def test_a_sender_spends_and_makes_no_money() -> None:
    spending = {"Debit", "BatchDebit", "PlaceHold", "CaptureHold", "ReleaseHold"}
    changing = {name for name in methods_of("sender") if not name.startswith(READING)}
    assert changing == spending


def test_nobody_but_the_gateway_tells_what_a_payment_is_worth() -> None:
    for role in ROLES.keys() - {"billing_gateway"}:
        assert not methods_of(role) & {"ApplyPayment", "ReportSubscription"}
    assert [role for role in ROLES if "ReportWallet" in methods_of(role)] == ["wallet"]


def test_only_an_operator_corrects_and_forgives() -> None:
    forgiving = {
        *("AdjustBalance", "RepairWallet", "FreezeWallet", "UnfreezeWallet", "GrantGrace"),
        *("AssignPayment", "ReplayWebhookEvents", "SuspendSubaccounts", "ReactivateSubaccounts"),
        *("PauseCampaigns", "ResumeCampaignsIfEligible"),
        *("PauseAllCampaigns", "ResumeAllCampaigns"),
    }
    assert forgiving <= methods_of("operator")
    for role in ROLES.keys() - {"operator"}:
        assert not forgiving & methods_of(role)


def test_a_service_calls_no_more_than_it_needs() -> None:
    assert methods_of("billing_gateway") == {
        *("CreateWallet", "GetWallet", "ApplyPayment", "ReportSubscription")
    }
    assert methods_of("wallet") == {"ReportWallet"}
    assert methods_of("campaign") == methods_of("telephony") == set()


@pytest.mark.parametrize("callers", [[], [access_pb2.ROLE_UNSPECIFIED], [99]])
def test_a_method_that_names_nobody_keeps_its_service_from_starting(callers: list[int]) -> None:
    name = f"a_test_of_access_{len(callers)}_{sum(callers)}"
    file = FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    file.message_type.add(name="Empty")
    method = file.service.add(name="Service").method.add(
        name="Ask", input_type=f".{name}.Empty", output_type=f".{name}.Empty"
    )
    method.options.Extensions[access_pb2.callers].extend(callers)  # type: ignore[arg-type]
    Default().AddSerializedFile(file.SerializeToString())
    with pytest.raises(AccessMissingError, match=f"/{name}.Service/Ask"):
        roles_of_methods([f"{name}.Service"])


@given(
    role=st.sampled_from([*ROLES]),
    subject=st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True),
)
def test_a_role_and_a_subject_are_read(role: str, subject: str) -> None:
    assert str(read_uris([f"spiffe://tollgate/{role}/{subject}"])) == f"{role}/{subject}"


@given(st.lists(st.text() | st.text().map("spiffe://tollgate/{}".format), max_size=3))
def test_whatever_else_a_certificate_names_is_nobody(uris: list[str]) -> None:
    with pytest.raises(UnknownCallerError):
        read_uris(uris)


@given(per_second=st.integers(1, 1000), waits=st.lists(st.floats(0, 3), max_size=200))
def test_nobody_calls_more_often_than_the_rate_allows(per_second: int, waits: list[float]) -> None:
    """In any time: what a second allows at once, and what the time itself allows."""
    now, taken = 1_000.0, list[float]()
    limits = CallerLimits(per_second, 1, lambda: now)
    for wait in waits:
        now += wait / per_second
        with suppress(OverloadedError):
            limits.count_call("ann")
            taken.append(now)
    for first, begin in enumerate(taken):
        for last, end in enumerate(taken[first:]):
            assert last + 1 <= per_second * (1 + end - begin) * 1.001 + 1


def test_a_second_without_calls_allows_them_all_at_once() -> None:
    limits = CallerLimits(4, 1, lambda: 0.0)
    for _ in range(4):
        limits.count_call("ann")
    with pytest.raises(OverloadedError) as caught:
        limits.count_call("ann")
    assert caught.value.retry_after_seconds == 0.25
    limits.count_call("bob")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.8.8.8:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example:1", False),
        ("wallet:1", False),
    ],
)
def test_plaintext_is_for_loopback(address: str, expected: bool) -> None:  # noqa: FBT001
    assert is_loopback(address) is expected
