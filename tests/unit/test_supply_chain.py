"""What is fetched is what was chosen, and what ships is what is needed and named."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from dev.bill_of_materials import Locked, locked
from dev.stack.services import SETTINGS_TYPES

ROOT = Path(__file__).parents[2]
SHIPPED = locked((ROOT / "requirements.lock").read_text())
INSTALLED = locked((ROOT / "requirements-dev.lock").read_text())
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
INSTALLATION = re.compile(r"^.*\b(?:install|pip sync)\b.*$", re.MULTILINE)
COMPOSE = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]


def commands(file: str) -> str:
    """A script with each command in one line."""
    lines = [it for it in (ROOT / file).read_text().splitlines() if not it.lstrip().startswith("#")]
    return re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))


def instructions(stage: str) -> list[str]:
    """What the Dockerfile's stage of that name does; the last one has none."""
    stages = re.split(r"^FROM ", commands("Dockerfile"), flags=re.MULTILINE)
    return stages[{"build": -2, "": -1}[stage]].splitlines()


@pytest.mark.parametrize("lock", [SHIPPED, INSTALLED], ids=["requirements", "requirements-dev"])
def test_every_package_is_pinned_by_hash(lock: dict[str, Locked]) -> None:
    assert not [name for name, package in lock.items() if not package.hashes]


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_packages_and_says_nothing_else(file: str) -> None:
    lines = (ROOT / file).read_text().splitlines()
    pin = re.compile(r"[\w.-]+==[\w.]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert not [line for line in lines if not pin.fullmatch(line)]


def test_what_ships_is_what_was_tested() -> None:
    assert SHIPPED.items() <= INSTALLED.items()


def test_nothing_is_installed_without_its_hash_or_built() -> None:
    found = INSTALLATION.findall(commands("dev/setup") + "\n" + commands("Dockerfile"))
    packages = [line for line in found if " pip " in line]
    assert len(packages) == 3
    assert all("--require-hashes" in line for line in packages)
    assert all("--only-binary :all:" in line or "--no-build" in line for line in packages)
    tools = INSTALLATION.findall(commands(".ci/run"))
    assert tools
    assert all("go -C dev/tools install -mod=readonly " in line for line in tools)


def test_images_of_others_are_pinned_by_hash() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?", commands("Dockerfile"), re.MULTILINE)
    own = {name for _, name in stages}
    images = {image for image, _ in stages} - own
    images |= {service["image"] for service in COMPOSE.values() if "build" not in service}
    assert images
    assert not [image for image in images if not DIGEST.search(image)]


def test_the_image_holds_what_runs_and_nothing_that_installs() -> None:
    final = instructions("")
    copied = [line for line in final if line.startswith(("COPY", "ADD"))]
    assert copied == ["COPY --from=build /opt/tollgate /opt/tollgate"]
    assert "RUN python -m venv --without-pip .venv" in instructions("build")
    run = " ".join(line for line in final if line.startswith("RUN"))
    for installer in ("/usr/local/bin/pip*", "/ensurepip", "/site-packages/*"):
        assert installer in run.partition("rm -r ")[2]
    assert not re.search(r"\bapt|\bpip \S*\s*install|\bcurl|\bwget", "\n".join(final))


def test_the_image_runs_as_somebody_without_rights() -> None:
    users = [line.split()[1] for line in instructions("") if line.startswith("USER")]
    assert users == ["10001:10001"]
    assert not [name for name, service in COMPOSE.items() if "user" in service]


def test_the_image_is_given_what_it_copies_and_no_other_file() -> None:
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    copied = {line.split()[1] for line in instructions("build") if line.startswith("COPY")}
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
    assert copied == {"requirements.lock", "libs", "services", "preflight", "protos/gen"}


@pytest.mark.parametrize("name", COMPOSE)
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    service = COMPOSE[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()
    if "build" in service:
        assert "cap_add" not in service
        assert all(volume.endswith(":ro") for volume in service.get("volumes", ()))


def test_ports_are_open_to_this_host_only() -> None:
    ports = [port for service in COMPOSE.values() for port in service.get("ports", ())]
    assert ports
    assert not [port for port in ports if not port.startswith("127.0.0.1:")]


def test_services_start_with_nothing_but_what_ships() -> None:
    missing = [
        module
        for module, owners in packages_distributions().items()
        if not SHIPPED.keys() & {canonicalize_name(owner) for owner in owners}
    ]
    assert "pytest" in missing
    services = [f"services.{name}.app" for name in SETTINGS_TYPES]
    imports = ", ".join([*services, "preflight.__main__"])
    start = f"import sys; sys.modules.update(dict.fromkeys({missing})); import {imports}"
    subprocess.run([sys.executable, "-c", start], cwd=ROOT, check=True)  # noqa: S603
