"""Secrets from files: of every setting that is one, NAME_FILE may name a file that holds it."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path

BYTES_MAX = 64 * 1024


class SecretFileError(ValueError):
    """Quotes neither what is in the file nor its name, which may be the secret by mistake."""


def file_setting(name: str) -> str:
    """Return the name of the setting that names the file."""
    return f"{name}_FILE"


def read_secret(name: str, environment: Mapping[str, str]) -> str | None:
    """Return what NAME or the file of NAME_FILE says; None if neither is given."""
    value, file = environment.get(name), environment.get(file_setting(name))
    if not file:
        return value
    if value:
        raise SecretFileError(f"given twice: {name}_FILE is set too")
    try:
        content = _read(Path(file))
        # An editor's last newline is none of the secret's.
        return re.sub(r"\r?\n\Z", "", content.decode())
    except UnicodeDecodeError:
        raise SecretFileError(f"what {name}_FILE names is no text in UTF-8") from None
    except OSError as error:
        raise SecretFileError(f"what {name}_FILE names: {error.strerror}") from None
    except ValueError as error:
        raise SecretFileError(f"what {name}_FILE names {error}") from None


def _read(file: Path) -> bytes:
    # To open what is no file, such as a pipe, might never return.
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("is no file")
    with file.open("rb") as opened:
        content = opened.read(BYTES_MAX + 1)
    if not content.strip():
        raise ValueError("is empty")
    if len(content) > BYTES_MAX:
        raise ValueError(f"is longer than {BYTES_MAX} bytes")
    return content
