"""Whatever a simulated Twilio is sent is answered, and never by a failure of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.simulators.twilio import TwilioSimulator
from tests.integration.twilio_simulator.steps import ONE, PARENT, TOKEN

SEARCH = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
ROOT = "/2010-04-01/Accounts"
NUMBERS = {"To": "+15552223333", "From": "+15551110000"}
SCHEDULED = {
    **NUMBERS,
    "Body": "Later",
    "MessagingServiceSid": "MG" + "1" * 32,
    "ScheduleType": "fixed",
    "SendAt": "2026-12-01T00:00:00Z",
}
FIELDS = [*SCHEDULED, "Status", "FriendlyName", "Url", "Page", "PageSize", "PageToken"]
VALUES = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(
    ("", "-1", "9" * 4_500, "0001-01-01T00:00:00+23:59", "PA", f"PB{ONE}", "canceled", "a\nb")
)


@dataclass(frozen=True)
class Post:
    """A request that is answered as it should be."""

    path: str
    form: dict[str, str]


@dataclass(frozen=True)
class Poster:
    """Whoever asks."""

    simulator: TwilioSimulator
    web: aiohttp.ClientSession
    posts: list[Post]
    state_file: Path

    async def ask(self, method: str, path: str, **given: Any) -> int:
        async with self.web.request(method, path, **given) as answer:
            assert answer.status < 500, await answer.text()
        return answer.status

    def check_memory(self) -> None:
        """What it keeps can be read by its next run."""
        copy = self.state_file.with_suffix(".copy")
        copy.write_bytes(self.state_file.read_bytes())
        following = TwilioSimulator(PARENT, TOKEN, copy)
        assert following.messages(ONE) == self.simulator.messages(ONE)
        assert following.calls(ONE) == self.simulator.calls(ONE)


@pytest.fixture
async def poster(tmp_path: Path) -> AsyncIterator[Poster]:
    """A Twilio where something has happened already."""
    simulator = TwilioSimulator(PARENT, TOKEN, tmp_path / "twilio.jsonl")
    await simulator.start()
    call = simulator.receive_call(ONE, "+1", "+2")
    messages, calls = f"{ROOT}/{ONE}/Messages", f"{ROOT}/{ONE}/Calls"
    authorization = {"Authorization": aiohttp.encode_basic_auth(PARENT, TOKEN)}
    async with aiohttp.ClientSession(simulator.base_url, headers=authorization) as web:
        async with web.post(f"{messages}.json", data=SCHEDULED) as answer:
            message = await answer.json()
        posts = [
            Post(f"{ROOT}.json", {"FriendlyName": "x"}),
            Post(f"{ROOT}/{ONE}.json", {"Status": "active", "FriendlyName": "x"}),
            Post(f"{messages}.json", SCHEDULED),
            Post(f"{messages}/{message['sid']}.json", {"Status": "canceled"}),
            Post(f"{calls}.json", {**NUMBERS, "Url": "https://example.com"}),
            Post(f"{calls}/{call.sid}.json", {"Status": "completed"}),
        ]
        yield Poster(simulator, web, posts, tmp_path / "twilio.jsonl")
    await simulator.stop()


async def test_what_is_asked_rightly_is_taken(poster: Poster) -> None:
    statuses = [await poster.ask("POST", each.path, data=each.form) for each in poster.posts]
    assert statuses == [201, 200, 201, 200, 201, 200]


@SEARCH
@given(data=st.data())
async def test_any_form_is_answered(poster: Poster, data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from(poster.posts))
    changed = data.draw(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
    await poster.ask("POST", asked.path, data={**asked.form, **changed})
    await poster.ask("GET", asked.path, params=changed)
    poster.check_memory()


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded; charset=x", "text/plain"])
@SEARCH
@given(data=st.data())
async def test_any_bytes_are_answered(poster: Poster, kind: str, data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from(poster.posts))
    body = data.draw(st.binary(max_size=20))
    await poster.ask("POST", asked.path, data=body, headers={"Content-Type": kind})
    await poster.ask("GET", f"{asked.path}?{quote(body)}={quote(body)}")
    await poster.ask("GET", asked.path, headers={"Authorization": f"Basic {body.hex()}"})
    poster.check_memory()
