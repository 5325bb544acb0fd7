"""Logs: one line of JSON an event, and no secret in a traceback."""

import json
from contextvars import Context

import pytest
import structlog

from libs.logs import configure_logs, enter_work_on, get_logger


def fail_with(secret: str) -> None:
    hidden = secret * 2
    raise ValueError(f"failed after {len(hidden)} characters")


def test_a_failure_is_one_line_with_its_trace_but_without_local_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("wallet", "INFO")
    try:
        fail_with("hunter2-hunter2")
    except ValueError:
        get_logger().exception("rpc_failed", organization_id="org-1")
    finally:
        structlog.reset_defaults()

    output = capsys.readouterr().out
    [line] = output.splitlines()
    logged = json.loads(line)
    assert logged["event"] == "rpc_failed"
    assert logged["service"] == "wallet"
    assert logged["organization_id"] == "org-1"
    assert "fail_with" in json.dumps(logged["exception"])
    assert "hunter2" not in output


def test_what_is_done_for_many_callers_says_its_service_as_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("wallet", "INFO")
    try:
        Context().run(lambda: get_logger().info("batch_done"))
    finally:
        structlog.reset_defaults()

    assert json.loads(capsys.readouterr().out)["service"] == "wallet"


def test_work_for_one_organization_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("wallet", "INFO")

    def work() -> None:
        enter_work_on("org-1")
        get_logger().warning("lock_timeout")

    try:
        Context().run(work)
    finally:
        structlog.reset_defaults()

    assert json.loads(capsys.readouterr().out)["organization_id"] == "org-1"
