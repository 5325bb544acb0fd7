"""Settings come from the environment, and all that is missing or wrong is reported at once."""

import os
import re
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from libs import strict_json
from libs.announcing.ports import AnnouncerTiming
from libs.database_urls import require_database_url
from libs.rpc.credentials import read_certificates
from libs.rpc.proof import CertificatesUnusableError
from libs.secret_files import SecretFileError, file_setting, read_secret
from libs.text import is_text

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

# A year: longer than anything that is waited for, and far from what overflows.
SECONDS_MAX = 31_536_000.0

KEY_LENGTH_MIN = 32
PORT_MAX = 65_535

ADDRESS = re.compile(r"(?:[^\s:\[\]=,/]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")

# Credentials go there: never in clear, but to this machine.
API_BASE = re.compile(
    r"(?:https://[A-Za-z0-9.-]+(?::(?P<secure>[0-9]{1,5}))?"
    r"|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<clear>[0-9]{1,5}))?)/?"
)

# Who collects traces stands beside the services, and is told no secrets.
COLLECTOR = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}/?")
SENTRY_DSN = re.compile(
    r"(?:https://[0-9A-Za-z]+@[A-Za-z0-9.-]+|http://[0-9A-Za-z]+@(?:127\.0\.0\.1|localhost))"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]+)*/[0-9]+"
)


def _split_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


def _split_addresses(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [item.strip().partition("=") for item in value.split(",") if item.strip()]
    names = {name for name, _, _ in pairs}
    if not pairs or len(names) < len(pairs):
        raise ValueError("expected name=host:port,name=host:port with names of their own")
    return {name: address for name, _, address in pairs}


def _parse_json(value: object) -> object:
    try:
        return strict_json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("expected JSON without a name that is given twice") from error


def _require_long(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(is_text(key.get_secret_value()) for key in keys):
        raise ValueError("expected keys in UTF-8")
    if any(len(key.get_secret_value()) < KEY_LENGTH_MIN for key in keys):
        raise ValueError(f"expected keys of at least {KEY_LENGTH_MIN} characters")
    return keys


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _require_address(value: str) -> str:
    if not ADDRESS.fullmatch(value) or int(value.rpartition(":")[2]) > PORT_MAX:
        raise ValueError(f"expected host:port, with a port of at most {PORT_MAX}")
    return value


def _require_api_base(value: str) -> str:
    found = API_BASE.fullmatch(value)
    if found is None or int(found["secure"] or found["clear"] or 0) > PORT_MAX:
        raise ValueError("expected https://host, or http on this machine")
    return value


def _require_collector(value: str) -> str:
    if not COLLECTOR.fullmatch(value):
        raise ValueError("expected http://host:port or https://host:port")
    return value


def _require_sentry_dsn(value: SecretStr) -> SecretStr:
    if not SENTRY_DSN.fullmatch(value.get_secret_value()):
        raise ValueError("expected https://key@host/project, or http on this machine")
    return value


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches host:port."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


Address = Annotated[str, AfterValidator(_require_address)]
NamedAddresses = Annotated[Mapping[str, Address], NoDecode, BeforeValidator(_split_addresses)]
ApiBase = Annotated[str, AfterValidator(_require_api_base)]
CommaSeparated = BeforeValidator(_split_list)
CommaSeparatedSecrets = Annotated[tuple[SecretStr, ...], NoDecode, CommaSeparated]
CommaSeparatedKeys = Annotated[CommaSeparatedSecrets, AfterValidator(_require_long)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(require_database_url)]
Collector = Annotated[str, AfterValidator(_require_collector)]
SentryDsn = Annotated[SecretStr, AfterValidator(_require_sentry_dsn)]
EmptyIsNone = BeforeValidator(_none_if_empty)
FromJson = BeforeValidator(_parse_json)
Seconds = Annotated[float, Field(gt=0, le=SECONDS_MAX, allow_inf_nan=False)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class ServiceSettings(BaseSettings):
    """What every service is told. Each names its own prefix and addresses."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    listen_address: Address
    # Nobody proves who they are, so that only this machine may call.
    plaintext: bool = False
    tls_directory: Annotated[DirectoryPath | None, EmptyIsNone] = Field(
        default=None, validate_default=True
    )
    caller_calls_per_second_max: Annotated[float, Field(ge=1, le=1_000_000)] = 5_000.0
    caller_streams_max: Annotated[int, Field(ge=1, le=100_000)] = 500
    open_reflection: bool = Field(default=False, validation_alias="OPEN_REFLECTION")
    metrics_address: Address
    log_level: LogLevel = Field(default="INFO", validation_alias="LOG_LEVEL")
    otlp_endpoint: Annotated[Collector | None, EmptyIsNone] = Field(
        default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    traced_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=1.0, validation_alias="OTEL_TRACES_SAMPLER_ARG"
    )
    sentry_dsn: Annotated[SentryDsn | None, EmptyIsNone] = Field(
        default=None, validation_alias="SENTRY_DSN"
    )
    stop_grace_seconds: Seconds = 10.0

    @classmethod
    def service_name(cls) -> str:
        """Return whose settings these are."""
        return str(cls.model_config["env_prefix"]).rstrip("_").lower()

    @classmethod
    def certificate_role(cls) -> str:
        """Return the role that the service's certificate names."""
        return cls.service_name()

    @field_validator("plaintext")
    @classmethod
    def _require_loopback(cls, plaintext: bool, info: ValidationInfo) -> bool:  # noqa: FBT001
        if plaintext and not is_loopback(info.data.get("listen_address", "")):
            raise ValueError("only where listening on 127.0.0.1, [::1] or localhost")
        return plaintext

    @field_validator("tls_directory")
    @classmethod
    def _require_certificates(cls, directory: Path | None, info: ValidationInfo) -> Path | None:
        plaintext = info.data.get("plaintext")
        if plaintext and directory is not None:
            raise ValueError("given beside …_PLAINTEXT=true: expected one of the two")
        # None: that was refused already.
        if plaintext is None or plaintext:
            return None
        if directory is None:
            raise ValueError("expected a directory with tls.crt, tls.key and ca.crt")
        try:
            read_certificates(directory, cls.certificate_role())
        except CertificatesUnusableError as error:
            raise ValueError(str(error)) from error
        return directory


class OwnerSettings(ServiceSettings):
    """What a service is told that owns something, in a database."""

    database_url: DatabaseUrl
    database_pool_size: int = Field(default=10, ge=1, le=200)
    poll_interval_seconds: Seconds = 1.0


class AnnouncingSettings(OwnerSettings):
    """What a service is told that announces levels."""

    announce_back_off_max_seconds: Seconds = 10.0
    announce_sweep_interval_seconds: Seconds = 3600.0

    @property
    def announcer_timing(self) -> AnnouncerTiming:
        """Return how often to look, retry and announce everything again."""
        return AnnouncerTiming(
            poll_interval_seconds=self.poll_interval_seconds,
            back_off_max_seconds=self.announce_back_off_max_seconds,
            sweep_interval_seconds=self.announce_sweep_interval_seconds,
        )


def load_settings(settings_type: type[SettingsT]) -> SettingsT:
    """Return the settings, or end the process with one line for each that is missing or wrong."""
    settings, problems = read_settings(settings_type)
    if settings is None:
        for setting, message in problems.items():
            print(f"setting {setting}: {message}", file=sys.stderr)
        raise SystemExit(2)
    return settings


def read_settings(settings_type: type[SettingsT]) -> tuple[SettingsT | None, dict[str, str]]:
    """Return the settings; or None, and for each that is missing or wrong why."""
    files, problems = _read_secret_files(settings_type)
    try:
        settings = settings_type(**files)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            setting = _setting_name(settings_type, str(problem["loc"][0]))
            problems.setdefault(setting, _message_of(problem, _form_of(settings_type, setting)))
    return (None if problems else settings), problems


def _message_of(problem: ErrorDetails, form: str | None) -> str:
    """Say it as everything else is said, and not in the library's words."""
    match problem:
        case {"type": "string_pattern_mismatch"} if form:
            return f"expected {form}"
        case {"type": "missing"}:
            return "is missing"
        case {"type": "value_error", "ctx": {"error": error}}:
            return str(error)
        case {"type": "too_short", "ctx": {"field_type": "Tuple"}}:
            return "expected at least one, comma-separated"
        case {"type": "too_short"}:
            return "is empty"
        case _:
            return problem["msg"]


def setting_names(settings_type: type[BaseSettings]) -> dict[str, str]:
    """Return the environment's name for each field."""
    return {field: _setting_name(settings_type, field) for field in settings_type.model_fields}


def secret_settings(settings_type: type[BaseSettings]) -> dict[str, str]:
    """Return the names of the settings that are secrets, by their type, and of their fields."""
    return {
        _setting_name(settings_type, field): field
        for field, info in settings_type.model_fields.items()
        if "SecretStr" in str(info.annotation)
    }


def _read_secret_files(
    settings_type: type[BaseSettings],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what files give, by field, and what is wrong with some of them, by setting."""
    given, problems = {}, {}
    for setting, field in secret_settings(settings_type).items():
        if os.environ.get(file_setting(setting)):
            try:
                given[field] = read_secret(setting, os.environ)
            except SecretFileError as error:
                problems[setting] = str(error)
    return given, problems


def _form_of(settings_type: type[BaseSettings], setting: str) -> str | None:
    """Return in words what a pattern asks for."""
    fields = {name: field for field, name in setting_names(settings_type).items()}
    return settings_type.model_fields[fields[setting]].description


def _setting_name(settings_type: type[BaseSettings], name: str) -> str:
    """Of a default that was refused the field is named, of anything else the setting itself."""
    field = settings_type.model_fields.get(name)
    if field is not None and field.validation_alias is not None:
        return str(field.validation_alias)
    prefix = settings_type.model_config.get("env_prefix", "")
    return name if name.isupper() else f"{prefix}{name}".upper()
