"""Each alert is proved to fire and to stay silent, and tells whoever it wakes what to do next."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from libs.rpc.rules import check_request
from tests.support.monitoring import (
    ALERTMANAGER,
    AMTOOL,
    PROMETHEUS,
    PROMTOOL,
    RULE_TESTS,
    Alert,
    needs_amtool,
    needs_promtool,
    read_alerts,
    read_yaml,
    used_metrics,
)
from tests.support.rpc_comments import BILLING_GATEWAY, CAMPAIGN, TELEPHONY, WALLET
from tollgate.operations.v1 import operations_service_pb2
from tollgate.operator_console.v1 import operator_service_pb2

ALERTS = read_alerts()
CASES = [case for file in RULE_TESTS for case in read_yaml(file)["tests"]]
CASE_NAME = re.compile(r"(?P<alert>\w+) (?P<what>fires|is silent) .*")
COMMAND = re.compile(
    r"grpcurl -cacert ca\.crt -cert tls\.crt -key tls\.key (?:-d '(?P<request>\{.*\})' )?"
    r"localhost:(?P<port>\d+) (?P<service>[\w.]+)/(?P<method>\w+)"
)
CONSOLE = operator_service_pb2.DESCRIPTOR.services_by_name["OperatorService"]
OPERATIONS = operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"]
SERVICES_AT: dict[str, tuple[ServiceDescriptor, ...]] = {
    "50051": (*WALLET, OPERATIONS),
    "50052": (*CAMPAIGN, OPERATIONS),
    "50053": (*TELEPHONY, OPERATIONS),
    "50054": (*BILLING_GATEWAY, OPERATIONS),
    "50055": (CONSOLE,),
}
SOME_LABELS = {
    "PROVIDER_{{ $labels.provider }}": "PROVIDER_STRIPE",
    "FREEZE_REASON_{{ $labels.reason }}": "FREEZE_REASON_DISPUTE",
    "PAUSE_REASON_{{ $labels.reason }}": "PAUSE_REASON_MANUAL_PAUSE",
}
ABOUT_EACH = pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)


def run(tool: str | None, *arguments: str | Path) -> None:
    assert tool is not None
    done = subprocess.run(  # noqa: S603
        [tool, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_its_settings() -> None:
    run(PROMTOOL, "check", "config", PROMETHEUS)


@needs_promtool
@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    run(PROMTOOL, "test", "rules", file)


@needs_amtool
def test_alertmanager_takes_its_settings() -> None:
    run(AMTOOL, "check-config", ALERTMANAGER)


@ABOUT_EACH
def test_an_alert_is_proved_to_fire_and_to_stay_silent(alert: Alert) -> None:
    read = {each.name for each in used_metrics(alert.expr)}
    proved = set()
    for case in CASES:
        name = CASE_NAME.fullmatch(case["name"])
        assert name, case["name"]
        if name["alert"] == alert.name:
            proved.add(name["what"])
            given = {each["series"].partition("{")[0] for each in case["input_series"]}
            # Where nothing is known, silence proves nothing.
            assert read <= given or name["what"] == "fires"
            assert fires(alert.name, case) is (name["what"] == "fires"), case["name"]
    assert proved == {"fires", "is silent"}


def fires(alert: str, case: dict[str, Any]) -> bool:
    """Tell whether a case expects that alert."""
    samples = [it for asked in case["promql_expr_test"] for it in asked["exp_samples"]]
    return any(f'alertname="{alert}"' in sample["labels"] for sample in samples)


@ABOUT_EACH
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(alert: Alert) -> None:
    assert alert.labels["severity"] in {"page", "ticket"}
    assert alert.labels.get("finding", alert.snake) == alert.snake
    assert alert.annotations["runbook"] == f"docs/runbook.md#{alert.anchor}"
    assert alert.annotations["summary"]


@ABOUT_EACH
def test_an_alert_tells_a_command_that_can_be_sent(alert: Alert) -> None:
    text = alert.annotations["description"]
    for label, value in SOME_LABELS.items():
        text = text.replace(label, value)
    if alert.name.startswith("Certificate"):
        # A service whose certificate nobody believes answers no grpcurl.
        assert "openssl s_client" in text
        return
    [command] = COMMAND.finditer(text.splitlines()[-1])
    services = {service.full_name: service for service in SERVICES_AT[command["port"]]}
    method = services[command["service"]].methods_by_name[command["method"]]
    request = json_format.Parse(command["request"] or "{}", GetMessageClass(method.input_type)())
    check_request(request)


def test_every_severity_has_somebody_who_is_told() -> None:
    told = read_yaml(ALERTMANAGER)
    receivers = {each["name"] for each in told["receivers"]}
    routed = {
        matcher: route["receiver"]
        for route in told["route"]["routes"]
        for matcher in route["matchers"]
    }
    severities = {alert.labels["severity"] for alert in ALERTS.values()}
    assert routed.keys() == {f'severity="{severity}"' for severity in severities}
    assert {*routed.values(), told["route"]["receiver"]} == receivers


def test_what_inhibits_and_what_is_inhibited_are_alerts_with_these_labels() -> None:
    for rule in read_yaml(ALERTMANAGER)["inhibit_rules"]:
        for matchers in (rule["source_matchers"], rule["target_matchers"]):
            [matcher] = matchers
            names = re.fullmatch(r'alertname=~?"([\w|]+)"', matcher)
            assert names
            for name in names[1].split("|"):
                alert = ALERTS[name]
                assert set(rule["equal"]) <= alert.labels.keys() | grouped_by(alert), name


def grouped_by(alert: Alert) -> set[str]:
    """Return the labels that an alert has of what it counts."""
    return set(re.findall(r"\w+", " ".join(re.findall(r"by \(([\w, ]+)\)", alert.expr))))


def test_scrapes_each_service_where_compose_has_it() -> None:
    compose = (PROMETHEUS.parents[2] / "docker-compose.yml").read_text()
    scraped = {
        job["job_name"]: target.rpartition(":")[2]
        for job in read_yaml(PROMETHEUS)["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
        if target.startswith(f"{job['job_name']}:")
    }
    listening = re.findall(r"(\w+)_METRICS_ADDRESS: 0\.0\.0\.0:(\d+)", compose)
    assert scraped == {name.lower(): port for name, port in listening}


def test_knows_every_service_by_name() -> None:
    jobs = {job["job_name"] for job in read_yaml(PROMETHEUS)["scrape_configs"]}
    down = ALERTS["ServiceDown"].expr
    assert set(re.findall(r'absent\(up\{job="(\w+)"\}\)', down)) == jobs
    for alert in ("ServiceDown", "ReplicaDown"):
        [named] = re.findall(r'job=~"([\w|]+)"', ALERTS[alert].expr)
        assert set(named.split("|")) == jobs
