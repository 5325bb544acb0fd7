"""How every client of ours must be made, those to come too.

What becomes of it is asked in tests/integration/test_outgoing.py.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What would let others choose where a request goes, or who may answer it.
FORBIDDEN = {"trust_env", "proxy", "proxy_auth", "verify_ssl", "ssl_context", "fingerprint"}
ASKING = {"request", "get", "post", "put", "patch", "delete", "head", "options", "ws_connect"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call of what ships that may be one of aiohttp's."""
    for folder in ("libs", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if "ClientSession" in text:
                for node in ast.walk(ast.parse(text)):
                    if isinstance(node, ast.Call):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {each.arg: ast.unparse(each.value) for each in call.keywords}


def test_every_session_keeps_nothing_and_has_a_time_limit() -> None:
    sessions = {
        place: keywords(call)
        for place, call in calls()
        if ast.unparse(call.func) == "ClientSession"
    }
    assert len(sessions) >= 4
    bad = [
        place
        for place, given in sessions.items()
        if given.get("cookie_jar") != "DummyCookieJar()"
        or "ClientTimeout(total=" not in given["timeout"]
    ]
    assert not bad, bad


def test_no_request_is_led_elsewhere() -> None:
    asking = {
        place: keywords(call)
        for place, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ASKING
        and ast.unparse(call.func.value).endswith("_session")
    }
    assert len(asking) >= 4
    bad = [place for place, given in asking.items() if given.get("allow_redirects") != "False"]
    assert not bad, bad


def test_nothing_is_asked_by_a_proxy_or_without_proof_of_a_name() -> None:
    bad = [
        place
        for place, call in calls()
        if FORBIDDEN & keywords(call).keys() or keywords(call).get("ssl") in {"False", "None"}
    ]
    assert not bad, bad


def test_every_channel_of_grpc_has_options() -> None:
    """For by default each goes by the proxy that the environment names."""
    channels = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node)
        for folder in ("libs", "services")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("secure_channel")
    ]
    assert len(channels) >= 4
    bad = [
        place
        for place, call in channels
        if not {"OPTIONS", "NO_PROXY"} & {*keywords(call).values(), *map(ast.unparse, call.args)}
    ]
    assert not bad, bad
