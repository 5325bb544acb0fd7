"""The tests beside this one hold what they see against Twilio's description; here, that they do."""

from typing import Any

import pytest
from openapi_core.exceptions import OpenAPIError

from tests.integration.twilio_simulator.steps import ONE
from tests.support.twilio_openapi import SPECIFICATION, check_exchange

pytestmark = pytest.mark.skipif(
    not SPECIFICATION.exists(), reason="Twilio's description lies beside the repository, or not"
)

ACCOUNT = f'{{"sid": "{ONE}", "status": "active"}}'


def exchange(**changed: Any) -> dict[str, Any]:
    """Return one that Twilio's description allows, but for the fields that are missing."""
    right = {
        "method": "GET",
        "url": f"http://127.0.0.1/2010-04-01/Accounts/{ONE}.json",
        "params": None,
        "form": None,
        "status": 200,
        "answer": ACCOUNT,
    }
    return {**right, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "http://127.0.0.1/2010-04-01/Accounts/AC1.json"},
        {"url": "http://127.0.0.1/2010-04-01/Accounts.json", "params": {"PageSize": 1001}},
        {"method": "POST", "form": {"Status": "paused"}},
        {"method": "POST", "form": {"Status": "active"}, "status": 201},
        {"answer": ACCOUNT.replace("active", "paused")},
        {"answer": ACCOUNT.replace("AC1", "AB1")},
    ],
    ids=repr,
)
def test_what_twilio_would_not_take_or_say_is_noticed(changed: dict[str, Any]) -> None:
    with pytest.raises(OpenAPIError):
        check_exchange(**exchange(**changed))


def test_a_field_that_is_missing_is_noticed() -> None:
    with pytest.raises(AssertionError):
        check_exchange(**exchange())
