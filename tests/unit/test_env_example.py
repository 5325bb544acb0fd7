"""`.env.example` lists every setting with its default, and nothing else."""

import re
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from dev.service_databases import SERVICES
from dev.stack.services import SETTINGS_TYPES
from dev.stack.settings import CHECKOUT, StackSettings, owner_database_setting
from libs.config import secret_settings, setting_names
from preflight.config import PreflightSettings

LINE = re.compile(r"^#?(?P<name>[A-Z][A-Z_]*)=(?P<value>.*)$", re.MULTILINE)
ASKED_BY_COMPOSE = re.compile(r"\$\{(?P<name>[A-Z_]+)")


def listed() -> list[tuple[str, str]]:
    return LINE.findall((CHECKOUT / ".env.example").read_text())


def fields() -> dict[str, FieldInfo]:
    """Every field of a settings class, by the environment's name."""
    of_services = {
        name: settings_type.model_fields[field]
        for settings_type in SETTINGS_TYPES.values()
        for field, name in setting_names(settings_type).items()
    }
    of_stack = {str(info.alias): info for info in StackSettings.model_fields.values()}
    return {**of_services, **of_stack}


def written(default: Any) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case float():
            return f"{default:.15g}"
        case Path():
            return str(default.relative_to(CHECKOUT))
        case tuple():
            return ",".join(default)
        case _:
            return str(default)


def test_lists_every_setting_once_and_nothing_else() -> None:
    read_by_no_service = {owner_database_setting(service) for service in SERVICES}
    read_by_no_service |= set(setting_names(PreflightSettings).values())
    compose = (CHECKOUT / "docker-compose.yml").read_text()
    known = {*fields(), *read_by_no_service, *ASKED_BY_COMPOSE.findall(compose)}
    assert sorted(name for name, _ in listed()) == sorted(known)


def test_shows_the_default_that_holds() -> None:
    defaults = {
        name: "" if info.is_required() else written(info.get_default(call_default_factory=True))
        for name, info in fields().items()
    }
    assert dict(listed()) | defaults == dict(listed())


def test_says_which_settings_may_come_from_a_file() -> None:
    of_services = {name for type_ in SETTINGS_TYPES.values() for name in secret_settings(type_)}
    assert marked("[file]") == of_services | set(map(owner_database_setting, SERVICES))


def test_says_what_compose_does_not_run_without() -> None:
    asked = set(ASKED_BY_COMPOSE.findall((CHECKOUT / "docker-compose.yml").read_text()))
    # Compose makes the databases' addresses itself, of the passwords that it asks for.
    needed = {
        name for name, info in fields().items() if info.is_required() and "DATABASE" not in name
    }
    of_others = {"WALLET_TLS_DIRECTORY", "STRIPE_WEBHOOK_SECRETS", "PAYPAL_WEBHOOK_IDS"}
    assert marked("[compose]") == asked | needed | of_others


def marked(mark: str) -> set[str]:
    """The settings in whose comment something stands; one comment may be of several in a row."""
    blocks = re.findall(r"((?:# .*\n)+)((?:#[A-Z].*\n)+)", (CHECKOUT / ".env.example").read_text())
    return {name for comment, lines in blocks if mark in comment for name, _ in LINE.findall(lines)}


def test_sets_nothing_when_it_is_copied() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    assert not [line for line in lines if line and not line.startswith("#")]


def test_compose_passes_on_every_setting_of_a_service() -> None:
    compose = (CHECKOUT / "docker-compose.yml").read_text()
    given = set(re.findall(r"^      ([A-Z][A-Z_]*):", compose, re.MULTILINE))
    of_services = {
        name for type_ in SETTINGS_TYPES.values() for name in setting_names(type_).values()
    }
    # It is refused but on loopback, where nobody outside the container would reach the service.
    in_the_clear = {f"{service.upper()}_PLAINTEXT" for service in SETTINGS_TYPES}
    assert of_services - in_the_clear <= given, of_services - given


def test_compose_can_take_from_files_whatever_is_no_databases_password() -> None:
    text = (CHECKOUT / "ops" / "compose" / "secrets.yml").read_text()
    expected = {
        (name, name.lower())
        for type_ in SETTINGS_TYPES.values()
        for name, field in secret_settings(type_).items()
        if field != "database_url"
    }
    assert set(re.findall(r"([A-Z_]+)_FILE: /run/secrets/(\w+)", text)) == expected
    mounted = re.findall(r"^  (\w+):\n    file: secrets/\1$", text, re.MULTILINE)
    assert sorted(mounted) == sorted(name for _, name in expected)
