"""The protos tell a caller what to send, in which units, and what may come back."""

import re
from pathlib import Path

import pytest

from libs.errors import ErrorReason
from libs.rpc.rules import check_request
from tests.support.rpc_comments import (
    BILLING_GATEWAY,
    CAMPAIGN,
    OPERATIONS,
    PROTOS,
    TELEPHONY,
    WALLET,
    RpcComment,
    read_rpc_comments,
)

SERVICES = (*WALLET, *BILLING_GATEWAY, *CAMPAIGN, *TELEPHONY, *OPERATIONS)
# Some of them are offered by several services, each with a comment of its own.
RPCS = {
    f"{comment.method.containing_service.name}.{comment.name}": comment
    for comment in read_rpc_comments(SERVICES)
}
FILES = sorted(
    path
    for package in ("wallet", "billing_gateway", "campaign", "telephony", "operations")
    for path in (PROTOS / "tollgate" / package / "v1").glob("*.proto")
)


def test_every_rpc_has_its_comment() -> None:
    assert list(RPCS) == [
        f"{service.name}.{method.name}" for service in SERVICES for method in service.methods
    ]


@pytest.mark.parametrize("rpc", RPCS.values(), ids=RPCS)
def test_every_rpc_names_its_errors(rpc: RpcComment) -> None:
    assert set(re.findall(r"\w+", rpc.errors)) & set(ErrorReason)


@pytest.mark.parametrize("rpc", RPCS.values(), ids=RPCS)
def test_every_rpc_has_examples_that_break_no_rule(rpc: RpcComment) -> None:
    assert rpc.examples
    for example in rpc.examples:
        check_request(rpc.request(example))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_with_amounts_says_what_they_are(path: Path) -> None:
    text = path.read_text()
    header = text.partition("syntax =")[0]
    assert "_micros = " not in text or "millionths" in header
