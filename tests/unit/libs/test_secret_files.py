"""Secrets from files: in place of the setting, whole, and never quoted."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.config import load_settings, secret_settings
from libs.secret_files import BYTES_MAX, file_setting
from services.wallet.config import WalletSettings

KEY = "hunter2-hunter2-hunter2-hunter2-hunter2"
URL = "postgresql://wallet:hunter2@127.0.0.1:5432/wallet"
NAME = "WALLET_CHAIN_KEYS"


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what has nothing to do with it."""
    monkeypatch.setenv("WALLET_DATABASE_URL", URL)
    monkeypatch.setenv("WALLET_OBSERVERS", "campaign=127.0.0.1:1")
    monkeypatch.setenv("WALLET_PLAINTEXT", "true")


def load(
    monkeypatch: pytest.MonkeyPatch, file: Path, content: bytes, name: str = NAME
) -> WalletSettings:
    file.write_bytes(content)
    monkeypatch.setenv(file_setting(name), str(file))
    return load_settings(WalletSettings)


def problem(capsys: pytest.CaptureFixture[str], file: Path) -> str:
    """Return the one line that is printed; nothing of it is secret."""
    printed = capsys.readouterr().err
    [line] = printed.splitlines()
    assert "hunter2" not in line
    assert str(file) not in line
    return line


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_newline_at_the_end_is_none_of_the_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: bytes
) -> None:
    settings = load(monkeypatch, tmp_path / "keys", KEY.encode() + end)
    assert settings.chain_keys == (SecretStr(KEY),)


def test_everything_else_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WALLET_DATABASE_URL")
    monkeypatch.setenv(NAME, KEY)
    url = f"{URL}?application_name=\u00fc\n"
    settings = load(monkeypatch, tmp_path / "url", f"{url}\n".encode(), "WALLET_DATABASE_URL")
    assert settings.database_url == SecretStr(url)


def test_an_empty_setting_beside_a_file_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where one line of a compose file passes on what is not set."""
    monkeypatch.setenv(NAME, "")
    assert load(monkeypatch, tmp_path / "keys", KEY.encode()).chain_keys == (SecretStr(KEY),)
    monkeypatch.setenv(NAME, KEY)
    monkeypatch.setenv(file_setting(NAME), "")
    assert load_settings(WalletSettings).chain_keys == (SecretStr(KEY),)


def test_both_at_once_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(NAME, KEY)
    with pytest.raises(SystemExit):
        load(monkeypatch, tmp_path / "keys", KEY.encode())
    expected = f"setting {NAME}: given twice: {NAME}_FILE is set too"
    assert problem(capsys, tmp_path / "keys") == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hunter2 \xff", "is no text in UTF-8"),
        (b"hunter2" * BYTES_MAX, f"is longer than {BYTES_MAX} bytes"),
        (b" \n", "is empty"),
        (b"hunter2", "expected keys of at least 32 characters"),
    ],
)
def test_what_a_file_cannot_hold_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes,
    told: str,
) -> None:
    with pytest.raises(SystemExit):
        load(monkeypatch, tmp_path / "keys", content)
    line = problem(capsys, tmp_path / "keys")
    assert line.startswith(f"setting {NAME}: ")
    assert line.endswith(told)


def test_what_is_no_file_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A secret itself that was given for the file's name is not quoted either."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (tmp_path, pipe, tmp_path / "hunter2", Path("/dev/zero"), Path("hunter2" * 100)):
        monkeypatch.setenv(file_setting(NAME), str(file))
        with pytest.raises(SystemExit):
            load_settings(WalletSettings)
        assert problem(capsys, file).startswith(f"setting {NAME}: what {NAME}_FILE names")


def test_only_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert set(secret_settings(WalletSettings)) == {"WALLET_DATABASE_URL", "SENTRY_DSN", NAME}
    monkeypatch.setenv(NAME, KEY)
    settings = load(monkeypatch, tmp_path / "currency", b"EUR", "WALLET_DEFAULT_CURRENCY")
    assert settings.default_currency == "USD"
