"""JSON of others: read in one way, and at no more cost than its length."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs import strict_json

DEEPEST = strict_json.DEPTH_MAX
LONGEST = strict_json.NUMBER_LENGTH_MAX
BYTES = 256 * 1024

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
).filter(lambda value: "Infinity" not in json.dumps(value))


def nested(depth: int, ends: str = "[]") -> str:
    return ends[0] * depth + ends[1] * depth


@given(VALUES)
def test_what_a_library_writes_is_read(value: Any) -> None:
    assert strict_json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("begin", ["[", '{"a":', '[{"a":'])
def test_what_is_too_deep_is_refused_before_a_parser_sees_it(begin: str) -> None:
    """However deep: a parser would end in an error that is no ValueError."""
    for depth in (DEEPEST + 1, BYTES // len(begin)):
        with pytest.raises(ValueError, match="deep"):
            strict_json.loads(begin * depth)


def test_what_is_deep_enough_is_read() -> None:
    assert strict_json.loads(nested(DEEPEST)) is not None
    with pytest.raises(ValueError, match="deep"):
        strict_json.loads(nested(DEEPEST + 1))


def test_only_what_is_open_at_once_is_deep() -> None:
    assert len(strict_json.loads(f"[{','.join(['{}'] * 1_000)}]")) == 1_000
    for text in ("[" * 1_000, '\\"[{' * 1_000, "\\\\"):
        assert strict_json.loads(json.dumps([text])) == [text]


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "-Infinity", "1e999", "-1e999", "1" * (LONGEST + 1), f"0.{'1' * LONGEST}"),
        *(
            "9" * BYTES,
            f"-{'9' * 5_000}",
            f"1e{'9' * 5_000}",
            '{"a": 1, "a": 1}',
            '[{"a":1,"a":2}]',
        ),
        *("", '"', '"\\', '[["' + '\\"' * (BYTES // 2), "[" * DEEPEST + '"' + '\\"' * (BYTES // 2)),
    ],
    ids=lambda text: text[:20],
)
def test_anything_else_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - a reader can only say that it is none
        strict_json.loads(text)
