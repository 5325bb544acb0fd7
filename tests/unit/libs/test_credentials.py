"""Certificates by file: what is of no use is told, and never what is secret."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dev.certificates import Wanted, make_authority, make_certificates, to_pem
from libs.config import ServiceSettings, load_settings
from libs.rpc import credentials
from libs.rpc.credentials import WatchedCertificates, read_certificates
from libs.rpc.proof import CertificatesUnusableError
from libs.rpc.refused import read_refused
from services.campaign.config import CampaignSettings
from tests.support.certificates import DAY, certificates_with, read_signer

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
    "expired": lambda it: write(it, ends=-timedelta(minutes=1)),
    "not valid yet": lambda it: write(it, begins=timedelta(hours=1)),
    "of an authority that is not believed": lambda it: (it / "ca.crt").write_bytes(
        to_pem(make_authority("another", datetime.now(UTC)).certificate)
    ),
}
spoiled = pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)


def write(directory: Path, begins: timedelta = -DAY, ends: timedelta = DAY) -> None:
    """Write a certificate of the same authority."""
    made = certificates_with(read_signer(directory.parents[1]), begins=begins, ends=ends)
    (directory / "tls.crt").write_bytes(made.certificate)
    (directory / "tls.key").write_bytes(made.key)


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
        assert watched.look() == watched.look() == good
    assert [each["event"] for each in logs] == ["certificates_unusable"]
    for file, bytes_ in content.items():
        file.write_bytes(bytes_)
    with capture_logs() as logs:
        assert watched.look().certificate == good.certificate
    assert [each["event"] for each in logs] == ["certificates_renewed"]


REFUSED = """\xef\xbb\xbfsender/web-0
sender/web-1
  operator/ann   # left us
# sender/web-3

sender / web-4
emperor/ann
Sender/web-5
sender/web-6, sender/web-7
sender/\xff
sender/web-8"""


def test_each_line_refuses_somebody_or_is_told(ann: Path) -> None:
    assert read_refused(ann).names == frozenset()
    (ann / "refused_callers").write_bytes(REFUSED.encode("latin-1"))
    refused = read_refused(ann)
    assert refused.names == {"sender/web-0", "sender/web-1", "operator/ann", "sender/web-8"}
    assert refused.strange_lines == (6, 7, 8, 9, 10)
    with capture_logs() as logs:
        watched = WatchedCertificates(ann)
    assert watched.current.refused == refused
    assert [(each["event"], each["lines"]) for each in logs] == [
        ("refused_callers_not_understood", refused.strange_lines)
    ]


def test_who_is_refused_is_so_whatever_becomes_of_the_certificate(
    ann: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "LOOK_INTERVAL_SECONDS", 0.0)
    watched = WatchedCertificates(ann)
    (ann / "refused_callers").write_text("sender/web-1")
    (ann / "tls.key").write_text("nonsense")
    assert watched.look().refused.names == {"sender/web-1"}
    (ann / "refused_callers").write_text("sender/web-2")
    assert watched.look().refused.names == {"sender/web-2"}


def test_a_service_shows_its_own_certificate_and_one_by_which_it_can_be_called(
    tmp_path: Path,
) -> None:
    hosts = ("localhost",)
    others = [Wanted("wallet", "1", hosts), Wanted("campaign", "2"), Wanted("operator", "3", hosts)]
    make_certificates(tmp_path, [Wanted("campaign", "1", hosts), *others])
    read_certificates(tmp_path / "campaign" / "1", "campaign")
    for each in others:
        directory = tmp_path / each.role / each.subject
        read_certificates(directory)
        with pytest.raises(CertificatesUnusableError):
            read_certificates(directory, "campaign")


def test_certificates_are_made_once_and_anew_when_they_would_not_do(tmp_path: Path) -> None:
    ann, wanted = tmp_path / "operator" / "ann", Wanted("operator", "ann")
    make_certificates(tmp_path, [wanted])
    made = read_certificates(ann)
    make_certificates(tmp_path, [wanted])
    assert read_certificates(ann) == made
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (ann / name).unlink()
        make_certificates(tmp_path, [wanted])
        assert read_certificates(ann).certificate != made.certificate
    make_certificates(tmp_path, [Wanted("operator", "ann", ("localhost",))])
    assert read_certificates(ann).authorities == made.authorities
    assert not [each for each in tmp_path.rglob("*.*") if each.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    "identity",
    ["ann", "emperor/ann", "operator/", "operator/a b", "operator/../x", "wallet/wallet"],
)
def test_what_would_name_nobody_is_not_made(tmp_path: Path, identity: str) -> None:
    with pytest.raises(ArgumentTypeError):
        Wanted.parse(identity)


NEEDED = {"CAMPAIGN_DATABASE_URL": "postgresql://campaign@localhost/campaign"}


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> ServiceSettings:
    for name, value in {**NEEDED, **changes}.items():
        monkeypatch.setenv(name, value)
    return load_settings(CampaignSettings)


def test_a_service_is_told_where_its_certificates_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificates(tmp_path, [Wanted("campaign", "campaign", ("campaign",))])
    own = tmp_path / "campaign" / "campaign"
    assert load(monkeypatch, CAMPAIGN_TLS_DIRECTORY=str(own)).tls_directory == own


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
