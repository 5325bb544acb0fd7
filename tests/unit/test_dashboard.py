"""The dashboard can be loaded, and each of its panels asks something that can be asked."""

import json
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.support.monitoring import (
    DASHBOARD,
    GRAFANA_SOURCES,
    PROMTOOL,
    needs_promtool,
    panel_queries,
    read_panels,
    read_yaml,
)

COLUMNS = 24
PANELS = read_panels()


def test_panels_have_ids_of_their_own_and_overlap_nowhere() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
    for one, other in combinations(PANELS, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_each_panel_asks_a_source_that_is_there(panel: dict[str, Any]) -> None:
    sources = {
        source["uid"]: source["type"] for source in read_yaml(GRAFANA_SOURCES)["datasources"]
    }
    if panel["type"] == "row":
        return
    for asked in (panel, *panel.get("targets", ())):
        assert sources[asked["datasource"]["uid"]] == asked["datasource"]["type"]
    assert panel["type"] == "alertlist" or panel["targets"]


@needs_promtool
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query} for number, query in enumerate(panel_queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(  # noqa: S603
        [str(PROMTOOL), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_is_what_grafana_shows_first() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"] == "tollgate"
    assert not dashboard["editable"]
    compose = (DASHBOARD.parents[3] / "docker-compose.yml").read_text()
    assert (
        f"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: /etc/tollgate/dashboards/{DASHBOARD.name}"
        in compose
    )
