"""Twilio's own description of its API, where it lies beside the repository; nothing needs it."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.support.sample_events import PAYLOADS

SPECIFICATION = PAYLOADS / "twilio" / "twilio_api_v2010.json"
HOST = "https://api.twilio.com"
FORM = "application/x-www-form-urlencoded"
SUCCESSES = range(200, 300)
SCHEMAS = {
    "AC": "api.v2010.account",
    "CA": "api.v2010.account.call",
    "SM": "api.v2010.account.message",
}


@cache
def _specification() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(SPECIFICATION.read_bytes())
    return read


@cache
def _openapi() -> OpenAPI:
    return OpenAPI.from_dict(_specification(), config=Config(spec_validator_cls=None))


def check_exchange(
    *,
    method: str,
    url: str,
    params: Mapping[str, object] | None,
    form: Mapping[str, object] | None,
    status: int,
    answer: str,
) -> None:
    """Holds what was taken, and what was answered, against Twilio's description of them.

    It says nothing of refusals, and leaves every field of an answer optional: here none of them
    is missing.
    """
    if status not in SUCCESSES or not SPECIFICATION.exists():
        return
    address = urlsplit(url)
    request = MockRequest(
        HOST,
        method.lower(),
        address.path,
        args=dict(parse_qsl(address.query))
        | {key: str(value) for key, value in (params or {}).items()},
        headers={"Authorization": "Basic eDp5"},
        data=urlencode(form or {}, doseq=True).encode(),
        content_type=FORM,
    )
    _openapi().validate_request(request)
    _openapi().validate_response(request, MockResponse(answer.encode(), status))
    _check_fields(json.loads(answer))


def _check_fields(answer: Mapping[str, Any]) -> None:
    lists = [value for value in answer.values() if isinstance(value, list)]
    for thing in [answer] if "sid" in answer else lists[0]:
        schema = _specification()["components"]["schemas"][SCHEMAS[thing["sid"][:2]]]
        assert thing.keys() == schema["properties"].keys()
