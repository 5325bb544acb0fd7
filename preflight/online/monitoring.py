"""Whether alerts reach anybody."""

from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from preflight.given import Given
from preflight.problems import Problem

SETTING: Final = "PREFLIGHT_ALERTMANAGER_URL"
ANSWER_SECONDS_MAX: Final = 5.0
# What ops/alertmanager/alertmanager.yml has in place of addresses.
PLACEHOLDER: Final = ".invalid"


async def receiver_problems(given: Given) -> list[Problem]:
    """Ask Alertmanager whom it tells."""
    if given.preflight is None:
        return []
    url = given.preflight.alertmanager_url.rstrip("/")
    timeout = ClientTimeout(total=ANSWER_SECONDS_MAX)
    try:
        async with (
            ClientSession(timeout=timeout, raise_for_status=True) as session,
            session.get(f"{url}/api/v2/status", allow_redirects=False) as answer,
        ):
            told = await answer.json()
    except (ClientError, TimeoutError, ValueError) as error:
        return [Problem(SETTING, f"Alertmanager does not answer: {type(error).__name__}")]
    return [Problem(SETTING, message) for message in judge(told)]


def judge(told: Any) -> list[str]:
    """Return what is wrong with what Alertmanager says of its settings."""
    match told:
        case {"config": {"original": str(original)}}:
            if PLACEHOLDER in original:
                return [f"its receivers are placeholders still, at {PLACEHOLDER}"]
            return [] if "_configs:" in original else ["its receivers tell nobody"]
        case _:
            return ["answers, but not as Alertmanager does"]
