"""Writes what the image is made of, as CycloneDX: `make sbom`.

The packages of requirements.lock with the licences and needs that they declare, the hashes that may
be installed, and the bills that came inside of them; and the images underneath. The same checkout
gives the same bytes.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression, is_supported_id
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[1]
BILL = CHECKOUT / ".data" / "sbom" / "tollgate.cdx.json"

LOCKED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<rest>.*(?:\n .*)*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
IMAGE = re.compile(r"(?:FROM|image:) (?P<name>[\w./-]+):(?P<tag>[\w.-]+)@sha256:(?P<hash>\w{64})")

Part = dict[str, Any]


@dataclass(frozen=True)
class Locked:
    """A package as the lock pins it."""

    version: str
    hashes: tuple[str, ...]


def main() -> None:
    """Write the bill."""
    bill = bill_of_materials()
    BILL.parent.mkdir(parents=True, exist_ok=True)
    BILL.write_text(bill)
    print(BILL.relative_to(CHECKOUT))


def bill_of_materials() -> str:
    """Return the bill, which is a valid one."""
    lock = locked((CHECKOUT / "requirements.lock").read_text())
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    root = {"type": "application", "name": project["name"], "version": project["version"]}
    needs = {name: installed(name, it).requires or [] for name, it in lock.items()}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": SchemaVersion.V1_6.to_version(),
        "metadata": {"component": root | {"bom-ref": project["name"]}},
        "components": [*(package(name, it) for name, it in lock.items()), *base_images()],
        "dependencies": [
            {"ref": name, "dependsOn": needed(requirements, lock)}
            for name, requirements in ({project["name"]: project["dependencies"]} | needs).items()
        ],
    }
    text = json.dumps(bill, indent=2) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"The bill is no CycloneDX: {error}")
    return text


def locked(lock: str) -> dict[str, Locked]:
    """Read a lock."""
    return {
        canonicalize_name(it["name"]): Locked(it["version"], tuple(HASH.findall(it["rest"])))
        for it in LOCKED.finditer(lock)
    }


def installed(name: str, pinned: Locked) -> Distribution:
    """Return a package as it is here, which must be what is locked."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        found = None
    if found is None or found.version != pinned.version:
        raise SystemExit(f"{name} {pinned.version} is not what is installed: run `make setup`.")
    return found


def package(name: str, pinned: Locked) -> Part:
    """Return what is known of a package that ships."""
    here, purl = installed(name, pinned), f"pkg:pypi/{name}@{pinned.version}"
    return {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": pinned.version,
        "purl": purl,
        "licenses": [licence(declared_licence(here))],
        "externalReferences": [
            reference("distribution", purl, *pinned.hashes),
            *own_bills(here),
        ],
    }


def declared_licence(here: Distribution) -> str:
    """Return what a package says of its licence, in the newest of three ways that it uses."""
    told = here.metadata
    classes = [it for it in told.get_all("Classifier", []) if it.startswith("License ::")]
    in_words = " or ".join(it.rpartition(" :: ")[2] for it in classes)
    return told["License-Expression"] or told["License"] or in_words or "not told"


def licence(declared: str) -> Part:
    """Return a licence by its name in SPDX, or in its own words."""
    if is_supported_id(declared):
        return {"license": {"id": declared}}
    return {"expression": declared} if is_expression(declared) else {"license": {"name": declared}}


def own_bills(here: Distribution) -> Iterator[Part]:
    """Yield what a wheel tells of the libraries that were built into it."""
    for file in sorted(here.files or ()):
        if ".dist-info/sboms/" in str(file):
            content = Path(str(here.locate_file(file))).read_bytes()
            yield reference("bom", str(file), hashlib.sha256(content).hexdigest())


def reference(kind: str, url: str, *hashes: str) -> Part:
    """Return a reference to what has one of these hashes."""
    return {
        "type": kind,
        "url": url,
        "hashes": [{"alg": "SHA-256", "content": content} for content in hashes],
    }


def needed(requirements: Iterable[str], lock: Mapping[str, Locked]) -> list[str]:
    """Return who of those that ship is asked for."""
    asked = {canonicalize_name(Requirement(requirement).name) for requirement in requirements}
    return sorted(asked & lock.keys())


def base_images() -> Iterator[Part]:
    """Yield the images of others that the Dockerfile and the compose file name."""
    for file in ("Dockerfile", "docker-compose.yml"):
        for image in IMAGE.finditer((CHECKOUT / file).read_text()):
            name, tag, content = image["name"], image["tag"], image["hash"]
            yield {
                "type": "container",
                "bom-ref": f"{name}:{tag}",
                "name": name,
                "version": tag,
                "purl": f"pkg:oci/{name}@sha256%3A{content}?tag={tag}",
                "hashes": [{"alg": "SHA-256", "content": content}],
            }


if __name__ == "__main__":
    main()
