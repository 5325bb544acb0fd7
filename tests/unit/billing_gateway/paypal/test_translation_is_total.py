"""No input whatever makes the translation raise, and every sample is what the table says."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.simulators.paypal import objects
from services.billing_gateway.domain.observations import Ignored, Observed, Unreadable
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.translation import OBSERVERS, translate_event
from tests.unit.billing_gateway.paypal.told import CAPTURE, NOW, STORY, event

PAYLOADS = Path(__file__).parents[5] / "shared" / "payloads" / "paypal"
Place = tuple[str | int, ...]

NO_TEXTS: list[Any] = [
    None,
    True,
    0,
    -1,
    1e300,
    10**300,
    [],
    {},
    [None],
    [[]],
    {"id": {}},
    [{"href": []}],
]
NO_TIMES = ["2018-19-12T22:20:32.000Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
NO_AMOUNTS = [
    "",
    "\x00",
    "\ud800",
    "a" * 200,
    "NaN",
    "1e9",
    "-5.00",
    "0.001",
    "KWD",
    "JPY",
    "ACTIVE",
]
STRANGE: st.SearchStrategy[Any] = st.sampled_from([*NO_TEXTS, *NO_TIMES, *NO_AMOUNTS])


def translate_bytes(body: bytes) -> Any:
    return translate_event(body, NOW, Environment.SANDBOX)


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    yield path
    inner = value.items() if isinstance(value, dict) else []
    for key, each in enumerate(value) if isinstance(value, list) else inner:
        yield from places(each, (*path, key))


def replaced(value: Any, path: Place, replacement: Any) -> Any:
    """A copy with what stands at a path replaced; NotImplemented: taken away."""
    if not path:
        return replacement
    changed = copy.copy(value)
    if len(path) == 1 and replacement is NotImplemented:
        del changed[path[0]]
    else:
        changed[path[0]] = replaced(value[path[0]], path[1:], replacement)
    return changed


@st.composite
def mutated_events(draw: st.DrawFn) -> Any:
    told = draw(st.sampled_from(STORY))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(told))[1:] or [()]))
        told = replaced(told, path, draw(STRANGE | st.just(NotImplemented)))
        if not isinstance(told, dict):
            break
    return told


@given(mutated_events())
def test_no_event_that_was_changed_anywhere_makes_it_raise(told: Any) -> None:
    if told is not NotImplemented:
        translate_bytes(json.dumps(told).encode())


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))
)
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(translate_bytes(body), Unreadable | Ignored)


@pytest.mark.parametrize("told", STORY, ids=lambda told: told["event_type"])
def test_everything_that_the_story_tells_is_observed(told: dict[str, Any]) -> None:
    assert isinstance(translate_bytes(json.dumps(told).encode()), Observed)
    assert told["event_type"] in OBSERVERS


GOOD = json.dumps(event("PAYMENT.CAPTURE.COMPLETED", objects.capture_json(CAPTURE)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"a":' * 10_000,
        GOOD.encode("utf-16"),
        GOOD.replace('"25.00"', "25.00").encode(),
        GOOD.replace('"25.00"', "9" * 300).encode(),
        GOOD.replace('"25.00"', "NaN").encode(),
        GOOD.replace('"25.00"', "9" * 5_000).encode(),
        GOOD.replace('"value": "25.00"', '"value": "25.00", "value": "99.00"').encode(),
        GOOD.replace("PAYMENT.CAPTURE", "payment.capture").encode(),
        GOOD.replace('"event_type"', '"type"').encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_two_readers_could_read_differently_is_unreadable(body: bytes) -> None:
    assert isinstance(translate_bytes(body), Unreadable)


# What is in a folder of samples and not here is Observed.
IGNORED = {
    "billing.plan.created",
    "billing.plan.updated",
    "payment.authorization.created",
    "payment.authorization.voided",
    "PAYMENT.AUTHORIZATION.VOIDED",
    "risk.dispute.created",
}


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the sample payloads are not here")
def test_every_sample_is_observed_or_ignored() -> None:
    folders = ("dj-paypal", "synthetic_v2_subscription", "v2_payments")
    samples = [file for folder in folders for file in sorted((PAYLOADS / folder).glob("*.json"))]
    assert len(samples) >= 30
    wrong = {}
    for sample in samples:
        expected = Ignored if sample.stem in IGNORED else Observed
        translation = translate_bytes(sample.read_bytes())
        if not isinstance(translation, expected):
            wrong[sample.name] = translation
    assert not wrong


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the sample payloads are not here")
def test_every_event_that_is_read_is_one_of_paypals() -> None:
    assert set(OBSERVERS) <= set((PAYLOADS / "event_types.txt").read_text().split())
