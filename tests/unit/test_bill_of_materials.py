"""The bill of materials tells what ships, all of it, and the same every time."""

from pathlib import Path

import pytest

from dev.bill_of_materials import Part, bill_of_materials, locked, normalized, written

SHIPPED = locked((Path(__file__).parents[2] / "requirements.lock").read_text())


@pytest.fixture(scope="module")
def bill() -> Part:
    return bill_of_materials()


@pytest.fixture
def packages(bill: Part) -> list[Part]:
    return [it for it in bill["components"] if it["type"] == "library"]


def test_names_what_ships(packages: list[Part]) -> None:
    named = {normalized(it["name"]): it["version"] for it in packages}
    assert named == {name: package.version for name, package in SHIPPED.items()}


def test_tells_hashes_and_licences(packages: list[Part]) -> None:
    for package in packages:
        [files] = [it for it in package["externalReferences"] if it["url"] == package["purl"]]
        hashes = tuple(it["content"] for it in files["hashes"])
        assert hashes == SHIPPED[normalized(package["name"])].hashes
        for licence in package["licenses"]:
            told = licence.get("license", {})
            assert licence.get("expression") or told.get("id") or told.get("name")


def test_names_the_images_underneath(bill: Part) -> None:
    images = {it["name"] for it in bill["components"] if it["type"] == "container"}
    assert images == {"python", "postgres"}


def test_is_the_same_every_time(bill: Part) -> None:
    assert written(bill) == written(bill_of_materials())
