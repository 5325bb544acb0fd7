"""Secrets that others could read, guess, or have from elsewhere."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from libs.rpc.credentials import KEY_FILE
from libs.secret_files import file_setting
from preflight.given import OWNERS, SERVICES, Given, all_secrets, owner_setting
from preflight.problems import Problem

MADE_UP: Final = "# Made up by `make run`, for development only."
KEYS: Final = ("WALLET_CHAIN_KEYS", "BILLING_GATEWAY_CLAIM_KEYS")
DATABASE_URLS: Final = tuple(
    name
    for service in OWNERS
    for name in (f"{service.upper()}_DATABASE_URL", owner_setting(service))
)
PASSWORD_LENGTH_MIN: Final = 16
# Of 32 letters that were drawn, even from 16, hardly ever fewer are different.
DIFFERENT_LETTERS_MIN: Final = 8


def development_file(given: Given) -> Iterator[Problem]:
    """Tell of what `make run` has made up, and written where anybody who tries it can read it."""
    if given.file is not None and MADE_UP in given.file.read_text(errors="replace"):
        yield Problem(str(given.file), "has secrets that `make run` made up, for development only")


def readable_files(given: Given) -> Iterator[Problem]:
    """Tell of files with secrets that everybody on their machine can read."""
    named = {
        file_setting(name): given.environment.get(file_setting(name)) for name in all_secrets()
    }
    files = {setting: Path(file) for setting, file in named.items() if file}
    directories = [f"{service.upper()}_TLS_DIRECTORY" for service in SERVICES]
    for setting in filter(given.environment.get, directories):
        files[setting] = Path(given.environment[setting]) / KEY_FILE
    if given.file is not None:
        files[str(given.file)] = given.file
    for subject, file in files.items():
        if _is_readable_by_all(file):
            yield Problem(subject, "can be read by everybody on this machine")


def weak_keys(given: Given) -> Iterator[Problem]:
    """Tell of keys that somebody has typed, or given twice."""
    for name in KEYS:
        keys = [key.strip() for key in given.value(name).split(",")]
        if len(set(keys)) < len(keys):
            yield Problem(name, "has a key twice")
        if given.value(name) and any(len(set(key)) < DIFFERENT_LETTERS_MIN for key in keys):
            yield Problem(name, "has a key of few different letters: draw it by chance")


def weak_passwords(given: Given) -> Iterator[Problem]:
    """Tell of databases' passwords that can be guessed."""
    for name in DATABASE_URLS:
        password = password_of(given.value(name))
        if not given.value(name):
            continue
        if len(password) < PASSWORD_LENGTH_MIN:
            yield Problem(name, f"has a password of fewer than {PASSWORD_LENGTH_MIN} letters")
        elif len(set(password)) < DIFFERENT_LETTERS_MIN:
            yield Problem(name, "has a password of few different letters: draw it by chance")


def shared_secrets(given: Given) -> Iterator[Problem]:
    """Tell of secrets that serve twice: whoever knows one knows the other."""
    seen: dict[str, str] = {}
    for name in all_secrets():
        value = given.value(name)
        for secret in {password_of(value)} if name in DATABASE_URLS else set(value.split(",")):
            first = seen.setdefault(secret.strip(), name)
            if secret.strip() and first != name:
                yield Problem(name, f"has a secret of {first} too")


def password_of(url: str) -> str:
    """Return the password in a database's URL; empty if there is none."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def _is_readable_by_all(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
