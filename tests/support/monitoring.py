"""The files of ops/ that watch over the services: alerts, who is told of them, the dashboard."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

OPS = Path(__file__).parents[2] / "ops"
RULES = sorted((OPS / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS = sorted((OPS / "prometheus" / "tests").glob("*.yml"))
PROMETHEUS = OPS / "prometheus" / "prometheus.yml"
ALERTMANAGER = OPS / "alertmanager" / "alertmanager.yml"
DASHBOARD = OPS / "grafana" / "dashboards" / "tollgate.json"
GRAFANA_SOURCES = OPS / "grafana" / "provisioning" / "datasources" / "prometheus.yml"

PROMTOOL = shutil.which("promtool")
AMTOOL = shutil.which("amtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here")
needs_amtool = pytest.mark.skipif(AMTOOL is None, reason="amtool is not here")

# What Prometheus adds to whatever it scrapes.
TARGET_LABELS = frozenset({"job", "instance"})
SERIES = re.compile(r"\b(?P<name>tollgate_\w+)(?:\{(?P<matchers>[^}]*)\})?")
MATCHER = re.compile(r'(?P<label>\w+)(?P<operator>=~|!~|!=|=)"(?P<value>[^"]*)"')
GROUPING = re.compile(r"\b(?:by|on) \((?P<labels>[\w, ]*)\)")


class Used(NamedTuple):
    """A metric in a query, and the values of labels that the query asks for."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


class Alert(NamedTuple):
    """One alert, and the file that has it."""

    name: str
    file: Path
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def snake(self) -> str:
        """Return the name as a finding has it."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).upper()

    @property
    def anchor(self) -> str:
        """Return where the runbook tells of it."""
        return self.snake.lower().replace("_", "-")


def read_yaml(path: Path) -> Any:
    """Return what a file says."""
    return YAML(typ="safe").load(path)


def read_alerts() -> dict[str, Alert]:
    """Return all alerts, by name."""
    rules = [
        Alert(rule["alert"], file, rule["expr"], rule["labels"], rule["annotations"])
        for file in RULES
        for group in read_yaml(file)["groups"]
        for rule in group["rules"]
    ]
    alerts = {alert.name: alert for alert in rules}
    assert len(alerts) == len(rules)
    return alerts


def read_panels() -> list[dict[str, Any]]:
    """Return what the dashboard shows."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return panels


def panel_queries() -> list[str]:
    """Return what the dashboard asks."""
    return [target["expr"] for panel in read_panels() for target in panel.get("targets", ())]


def used_metrics(query: str) -> Iterator[Used]:
    """Yield each metric that a query reads."""
    for series in SERIES.finditer(query):
        yield Used(series["name"], tuple(MATCHER.findall(series["matchers"] or "")))


def grouping_labels(query: str) -> set[str]:
    """Return the labels by which a query groups."""
    found = GROUPING.findall(query)
    return {label.strip() for labels in found for label in labels.split(",") if label.strip()}
