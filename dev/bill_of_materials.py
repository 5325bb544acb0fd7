"""Writes what the image is made of, as CycloneDX: `make sbom`.

The packages of requirements.lock with the licences and needs that they declare, the hashes that may
be installed, and the bills that came inside of them; and the images underneath. The same checkout
gives the same bytes.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

CHECKOUT = Path(__file__).parents[1]
BILL = CHECKOUT / ".data" / "sbom" / "tollgate.cdx.json"

LOCKED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<rest>.*(?:\n .*)*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
IMAGE = re.compile(r"(?:FROM|image:) (?P<name>[\w./-]+):(?P<tag>[\w.-]+)@sha256:(?P<hash>\w{64})")
COLLECT = (
    *(sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject=pyproject.toml"),
    *("--mc-type=application", "--spec-version=1.6", "--output-reproducible", "--no-validate"),
    sys.executable,
)

Part = dict[str, Any]


@dataclass(frozen=True)
class Locked:
    """A package as the lock pins it."""

    version: str
    hashes: tuple[str, ...]


def main() -> None:
    """Write the bill, if it is a valid one."""
    bill = written(bill_of_materials())
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill):
        raise SystemExit(f"The bill is no CycloneDX: {error}")
    BILL.parent.mkdir(parents=True, exist_ok=True)
    BILL.write_text(bill)
    print(BILL.relative_to(CHECKOUT))


def written(bill: Part) -> str:
    """Return it as a file's text."""
    return json.dumps(bill, indent=2, sort_keys=True) + "\n"


def bill_of_materials() -> Part:
    """Reduce what is installed here to what ships, and add what an installation does not tell."""
    lock = locked((CHECKOUT / "requirements.lock").read_text())
    collected = subprocess.run(COLLECT, cwd=CHECKOUT, check=True, capture_output=True).stdout
    bill: Part = json.loads(collected)
    shipped = [it for it in bill["components"] if normalized(it["name"]) in lock]
    for package in shipped:
        complete(package, lock.pop(normalized(package["name"])))
    if lock:
        raise SystemExit(f"Not installed, so that nothing is known of it: {', '.join(lock)}")
    images = list(base_images())
    bill["components"] = shipped + images
    bill["dependencies"] = list(needs(bill, {it["bom-ref"] for it in bill["components"]}))
    return bill


def locked(lock: str) -> dict[str, Locked]:
    """Read a lock."""
    return {
        normalized(it["name"]): Locked(it["version"], tuple(sorted(HASH.findall(it["rest"]))))
        for it in LOCKED.finditer(lock)
    }


def normalized(name: str) -> str:
    """Return a package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def complete(package: Part, pinned: Locked) -> None:
    """Add what may be installed in its name, its licence in its own words, and its own bills."""
    if package["version"] != pinned.version:
        raise SystemExit(f"{package['name']} is installed otherwise than locked: run `make setup`.")
    installed = distribution(package["name"])
    if "licenses" not in package:
        licence = {"name": installed.metadata["License"], "acknowledgement": "declared"}
        package["licenses"] = [{"license": licence}]
    package.setdefault("externalReferences", []).extend(
        [reference("distribution", package["purl"], *pinned.hashes), *own_bills(installed)]
    )


def own_bills(installed: Distribution) -> Iterator[Part]:
    """Yield what a wheel tells of the libraries that were built into it."""
    for file in sorted(installed.files or ()):
        if ".dist-info/sboms/" in str(file):
            content = Path(str(installed.locate_file(file))).read_bytes()
            yield reference("bom", str(file), hashlib.sha256(content).hexdigest())


def reference(kind: str, url: str, *hashes: str) -> Part:
    """Return a reference to what has one of these hashes."""
    return {
        "type": kind,
        "url": url,
        "hashes": [{"alg": "SHA-256", "content": content} for content in hashes],
    }


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


def needs(bill: Part, shipped: set[str]) -> Iterator[Part]:
    """Yield who needs what, among what ships."""
    root = bill["metadata"]["component"]["bom-ref"]
    for entry in bill["dependencies"]:
        if entry["ref"] in shipped | {root}:
            yield entry | {"dependsOn": [it for it in entry.get("dependsOn", []) if it in shipped]}


if __name__ == "__main__":
    main()
