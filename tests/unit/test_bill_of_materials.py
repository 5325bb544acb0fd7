"""The bill of materials tells what ships, all of it, and the same every time."""

import json
from pathlib import Path

import pytest

from dev.bill_of_materials import Part, bill_of_materials, locked

SHIPPED = locked((Path(__file__).parents[2] / "requirements.lock").read_text())


@pytest.fixture
def parts() -> dict[str, Part]:
    return {it["name"]: it for it in json.loads(bill_of_materials())["components"]}


def test_names_what_ships_and_the_images_underneath(parts: dict[str, Part]) -> None:
    named = {name: it["version"] for name, it in parts.items() if it["type"] == "library"}
    assert named == {name: package.version for name, package in SHIPPED.items()}
    images = {"python", "postgres", "prom/prometheus", "prom/alertmanager", "grafana/grafana"}
    assert parts.keys() - named.keys() == images


def test_tells_hashes_and_licences(parts: dict[str, Part]) -> None:
    for name, package in SHIPPED.items():
        [files, *_] = parts[name]["externalReferences"]
        assert tuple(it["content"] for it in files["hashes"]) == package.hashes
        [licence] = parts[name]["licenses"]
        assert licence.get("expression") or licence["license"]
    assert parts["twilio"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert parts["structlog"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert parts["protobuf"]["licenses"] == [{"license": {"name": "3-Clause BSD License"}}]
    assert parts["stripe"]["licenses"] == [{"license": {"name": "MIT License"}}]


def test_points_to_what_wheels_tell_of_what_was_built_into_them(parts: dict[str, Part]) -> None:
    bills = [it for it in parts["cryptography"]["externalReferences"] if it["type"] == "bom"]
    assert bills


def test_tells_who_needs_whom() -> None:
    needs = {it["ref"]: it["dependsOn"] for it in json.loads(bill_of_materials())["dependencies"]}
    assert {"aiohttp", "grpcio", "twilio"} <= {*needs["tollgate"]} < SHIPPED.keys()
    assert needs["cffi"] == ["pycparser"]
    assert needs.keys() == {"tollgate", *SHIPPED}


def test_is_the_same_every_time() -> None:
    assert bill_of_materials() == bill_of_materials()
