"""Compose gives preflight whatever it gives the services, where it finds it itself."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dev.service_databases import SERVICES
from libs.config import setting_names
from preflight.config import PreflightSettings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
SECRETS: dict[str, Any] = YAML(typ="safe").load(ROOT / "ops/compose/secrets.yml")["services"]
LOOKED_AT = ("migrations", *SERVICES, "operator_console")


def test_preflight_is_given_what_the_services_are_given() -> None:
    given = COMPOSE["preflight"]["environment"]
    for name in LOOKED_AT:
        for setting, value in COMPOSE[name]["environment"].items():
            if not setting.endswith("_TLS_DIRECTORY"):
                assert given[setting] == value, setting
    own = set(setting_names(PreflightSettings).values())
    of_services = set().union(*(COMPOSE[name]["environment"] for name in LOOKED_AT))
    assert given.keys() == of_services | own


def test_preflight_is_given_each_certificate_that_a_service_has() -> None:
    given = COMPOSE["preflight"]["environment"]
    for name in (*SERVICES, "operator_console"):
        [mounted] = COMPOSE[name]["volumes"]
        source, target, _ = mounted.replace(":?", "?").split(":")
        directory = source.partition("}")[2]
        assert target == COMPOSE[name]["environment"][f"{name.upper()}_TLS_DIRECTORY"]
        assert given[f"{name.upper()}_TLS_DIRECTORY"] == f"/run/tollgate/tls{directory}"


def test_preflight_is_given_the_secrets_of_all() -> None:
    secrets = {secret for each in SECRETS.values() for secret in each["secrets"]}
    files = {name: file for each in SECRETS.values() for name, file in each["environment"].items()}
    assert set(SECRETS["preflight"]["secrets"]) == secrets
    assert SECRETS["preflight"]["environment"] == files
