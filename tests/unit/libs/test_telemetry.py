"""What a process tells others, for whoever asks; whoever does not pays for nothing of it."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from pydantic import SecretStr

from libs.config import ServiceSettings
from libs.logs import enter_work_on, get_logger
from libs.telemetry import start_telemetry
from libs.tracing import trace_by, working
from tests.support.services import ANY_PORT
from tests.support.telemetry import Sentry, collector, sentry
from tests.support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
ASKED = f"00-{TRACE}-b7ad6b7169203331-01"
SECRET = "hunter2-hunter2"

WITHOUT = """
import sys
from libs.config import ServiceSettings
from libs.process import run_process
from libs.telemetry import start_telemetry
from libs import tracing
from services.billing_gateway import app
from services.operator_console import app
from services.telephony import app
from services.wallet import app
door = {"listen_address": "127.0.0.1:0", "metrics_address": "127.0.0.1:0", "plaintext": True}
start_telemetry("wallet", ServiceSettings(**door))
hooks = (tracing.server_interceptors, tracing.client_interceptors, tracing.http_middlewares)
print([tuple(each()) for each in hooks], tracing.statement_listener(), tracing.cause())
print([name for name in sys.modules if name.partition(".")[0] in ("opentelemetry", "sentry_sdk")])
"""


@pytest.fixture(autouse=True)
def leave_as_it_was() -> Iterator[None]:
    yield
    trace_by(None)
    sentry_sdk.get_global_scope().set_client(None)
    structlog.reset_defaults()


def settings(**told: object) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {"listen_address": ANY_PORT, "metrics_address": ANY_PORT, "plaintext": True, **told}
    )


def test_who_asks_for_nothing_loads_nothing_and_has_nobody_in_between() -> None:
    found = subprocess.run(  # noqa: S603 - of this checkout
        [sys.executable, "-c", WITHOUT],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert found.stdout.splitlines() == ["[(), (), ()] None None", "[]"]


async def test_lines_name_the_trace_that_they_belong_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with collector() as taking:
        stop = start_telemetry("wallet", settings(otlp_endpoint=taking.endpoint))
        with working("settle", [ASKED]):
            get_logger().info("event_settled")
        get_logger().info("service_stopped")
        await asyncio.to_thread(stop)
        [span] = taking.named("settle")
    settled, stopped = map(json.loads, capsys.readouterr().out.splitlines())
    assert (settled["trace_id"], settled["span_id"]) == (TRACE, span.span_id.hex())
    assert "trace_id" not in stopped


async def test_what_callers_do_not_trace_is_not_sent() -> None:
    async with collector() as taking:
        stop = start_telemetry("wallet", settings(otlp_endpoint=taking.endpoint))
        for asked in (ASKED[:-1] + "0", None):
            with working("settle", [asked]):
                pass
        await asyncio.to_thread(stop)
        assert list(taking.spans()) == []


def fail_with(secret: str) -> None:
    hidden = secret * 2
    raise ValueError(f"{hidden} is no amount")


async def report_of(wanted: str, taking: Sentry) -> dict[str, Any]:
    async def look() -> list[dict[str, Any]]:
        return [event for event in taking.events if event["message"] == wanted]

    [found] = await eventually(look, bool)
    return found


async def test_an_error_is_reported_by_its_place_and_by_whose_it_was() -> None:
    async with sentry() as taking:
        stop = start_telemetry("wallet", settings(sentry_dsn=SecretStr(taking.dsn)))
        enter_work_on("org-1")
        try:
            fail_with(SECRET)
        except ValueError:
            get_logger().exception("organization_failed", note=SECRET)
        get_logger().warning("lock_timeout")
        get_logger().critical("worker_died", worker="settling")
        logging.getLogger("asyncio").error("never awaited: %s", SECRET)

        failed = await report_of("organization_failed", taking)
        assert failed["tags"] == {"service": "wallet", "organization_id": "org-1"}
        [error] = failed["exception"]["values"]
        assert (error["type"], error["value"]) == ("ValueError", "")
        assert error["stacktrace"]["frames"][-1]["function"] == "fail_with"
        died = await report_of("worker_died", taking)
        assert (died["level"], died["tags"]["worker"]) == ("fatal", "settling")
        await report_of("logged by asyncio", taking)
        await asyncio.to_thread(stop)
        assert len(taking.events) == 3
        assert SECRET not in b"".join(taking.sent).decode()
        assert "breadcrumbs" not in failed
