"""The reasons in code and in the contract are the same, and each has its status code."""

from google.rpc import code_pb2, error_details_pb2

from libs.errors import DomainError, ErrorReason, OverloadedError
from libs.rpc.boundary import CODES, to_status
from tollgate.errors.v1 import error_reason_pb2

PREFIX = "ERROR_REASON_"


def test_code_and_contract_name_the_same_reasons() -> None:
    named = {name.removeprefix(PREFIX) for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert named - {"UNSPECIFIED"} == set(ErrorReason)


def test_every_reason_has_a_status_code() -> None:
    assert set(CODES) == set(ErrorReason)


def test_an_error_carries_reason_and_values() -> None:
    error = DomainError(ErrorReason.INSUFFICIENT_FUNDS, "short", availableMicros=7)
    status = to_status(error)
    assert status.code == code_pb2.FAILED_PRECONDITION
    assert len(status.details) == 1


def test_an_overload_says_when_to_come_again() -> None:
    status = to_status(OverloadedError("too much is waiting", retry_after_seconds=0.25))
    assert status.code == code_pb2.RESOURCE_EXHAUSTED
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() == 0.25
