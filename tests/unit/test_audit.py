"""`make audit` against a list of advisories of our own, asked by the real pip-audit."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dev import audit

ECOSYSTEM_RANGE = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}


class Advisories(BaseHTTPRequestHandler):
    """OSV, as far as it is asked."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        affected = {"package": asked["package"], "ranges": [ECOSYSTEM_RANGE]}
        advisory = {"id": "GHSA-1", "aliases": ["CVE-1"], "summary": "It is broken."}
        found = asked["package"]["name"] == "broken"
        answer = json.dumps({"vulns": [advisory | {"affected": [affected]}]} if found else {})
        self.send_response(200 if self.path == "/v1/query" else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Of the packages that the advisories below are about, and not."""
    file = tmp_path / "small.lock"
    hashes = "--hash=sha256:" + "0" * 64
    file.write_text(f"well==1.0 {hashes}\nbroken==1.0 {hashes}\n")
    return file


@pytest.fixture
def advisories() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


def test_fails_and_names_what_is_known(
    lock: Path, advisories: str, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ("--requirement", str(lock), "--osv-url", advisories)
    assert audit.main(*asked) == 1
    assert capfd.readouterr().out == ("broken 1.0: CVE-1 (GHSA-1), mended in 1.1: It is broken.\n")
    assert audit.main(*asked, "--ignore-vuln", "CVE-1") == 0
    assert "Nothing is known against 2 packages." in capfd.readouterr().out


def test_says_when_it_could_not_ask(
    lock: Path, advisories: str, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = advisories.replace("/v1/query", "/gone")
    assert audit.main("--requirement", str(lock), "--osv-url", nowhere) == audit.NOT_ASKED
    assert "nothing is known" in capfd.readouterr().out
