"""Certificates by file: what is of no use is told, and never what is secret."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dev.certificates import Wanted, make_certificates
from libs.config import ServiceSettings, load_settings
from libs.rpc import credentials
from libs.rpc.credentials import (
    CertificatesUnusableError,
    WatchedCertificates,
    read_certificates,
)
from services.campaign.config import CampaignSettings

Spoil = Callable[[Path], object]

SPOILED: dict[str, Spoil] = {
    "no certificate": lambda it: (it / "tls.crt").unlink(),
    "no key": lambda it: (it / "tls.key").unlink(),
    "no authority": lambda it: (it / "ca.crt").unlink(),
    "an empty authority": lambda it: (it / "ca.crt").write_text(""),
    "a key that is cut off": lambda it: (it / "tls.key").write_text(
        (it / "tls.key").read_text()[:150]
    ),
    "no PEM": lambda it: (it / "tls.crt").write_bytes(b"\0" * 100),
    "another key": lambda it: (it / "tls.key").write_bytes(
        (it.parent / "bob" / "tls.key").read_bytes()
    ),
    "a key for a certificate": lambda it: (it / "tls.crt").write_bytes(
        (it / "tls.key").read_bytes()
    ),
    "who is refused is not read": lambda it: (it / "refused_callers").write_bytes(b"\xff"),
    "who is refused has no role": lambda it: (it / "refused_callers").write_text("ann"),
}
spoiled = pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    """The directory of an operator."""
    make_certificates(tmp_path, [Wanted("operator", "ann"), Wanted("operator", "bob")])
    return tmp_path / "operator" / "ann"


def key_lines(directory: Path) -> list[str]:
    return [line for line in (directory / "tls.key").read_text().splitlines() if "-" not in line]


@spoiled
def test_what_is_of_no_use_is_refused_without_quoting_the_key(ann: Path, spoil: Spoil) -> None:
    secret = key_lines(ann)
    spoil(ann)
    with pytest.raises(CertificatesUnusableError) as caught:
        read_certificates(ann)
    assert not [line for line in secret if line in str(caught.value)]


@spoiled
def test_what_becomes_of_no_use_is_logged_once_and_the_last_good_ones_stay(
    ann: Path, spoil: Spoil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "LOOK_INTERVAL_SECONDS", 0.0)
    watched = WatchedCertificates(ann)
    good, content = watched.current, {each: each.read_bytes() for each in ann.iterdir()}
    spoil(ann)
    with capture_logs() as logs:
        assert watched.look() is watched.look() is good
    assert [each["event"] for each in logs] == ["certificates_unusable"]
    (ann / "refused_callers").unlink(missing_ok=True)
    for file, bytes_ in content.items():
        file.write_bytes(bytes_)
    with capture_logs() as logs:
        assert watched.look().certificate == good.certificate
    assert [each["event"] for each in logs] == ["certificates_renewed"]


def test_certificates_are_made_once_and_anew_when_they_name_something_else(tmp_path: Path) -> None:
    ann = tmp_path / "operator" / "ann"
    make_certificates(tmp_path, [Wanted("operator", "ann")])
    made = read_certificates(ann)
    make_certificates(tmp_path, [Wanted("operator", "ann")])
    assert read_certificates(ann) == made
    make_certificates(tmp_path, [Wanted("operator", "ann", ("localhost",))])
    assert read_certificates(ann).certificate != made.certificate
    assert read_certificates(ann).authorities == made.authorities
    assert not [each for each in tmp_path.rglob("*.*") if each.stat().st_mode & 0o077]


NEEDED = {"CAMPAIGN_DATABASE_URL": "postgresql://campaign@localhost/campaign"}


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> ServiceSettings:
    for name, value in {**NEEDED, **changes}.items():
        monkeypatch.setenv(name, value)
    return load_settings(CampaignSettings)


def test_a_service_is_told_where_its_certificates_are(
    ann: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(monkeypatch, CAMPAIGN_TLS_DIRECTORY=str(ann)).tls_directory == ann


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, "CAMPAIGN_TLS_DIRECTORY"),
        ({"CAMPAIGN_TLS_DIRECTORY": ""}, "CAMPAIGN_TLS_DIRECTORY"),
        ({"CAMPAIGN_TLS_DIRECTORY": "/nowhere"}, "CAMPAIGN_TLS_DIRECTORY"),
        ({"CAMPAIGN_TLS_DIRECTORY": "/"}, "CAMPAIGN_TLS_DIRECTORY"),
        (
            {"CAMPAIGN_PLAINTEXT": "true", "CAMPAIGN_LISTEN_ADDRESS": "0.0.0.0:50052"},
            "CAMPAIGN_PLAINTEXT",
        ),
        (
            {"CAMPAIGN_PLAINTEXT": "true", "CAMPAIGN_LISTEN_ADDRESS": "campaign:50052"},
            "CAMPAIGN_PLAINTEXT",
        ),
        ({"CAMPAIGN_PLAINTEXT": "true", "CAMPAIGN_LISTEN_ADDRESS": "?"}, "CAMPAIGN_PLAINTEXT"),
    ],
)
def test_a_service_that_could_not_know_its_callers_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    refused: str,
) -> None:
    with pytest.raises(SystemExit):
        load(monkeypatch, **changes)
    assert f"setting {refused}: " in capsys.readouterr().err
