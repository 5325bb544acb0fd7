"""Page tokens: what was given out comes back, what was made up is refused."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgumentError
from libs.paging import (
    ChangeKey,
    decode_change_key,
    decode_page_token,
    encode_page_token,
    key_to_time,
    page_of_changes,
    time_to_key,
)

TIME = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def token_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@given(st.integers(0, 2**63 - 1), st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True))
def test_a_token_holds_its_key(number: int, text: str) -> None:
    assert decode_page_token(encode_page_token(number, text), int, str) == (number, text)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not base64!",
        "\u00e9",
        token_of("7"),
        token_of([]),
        token_of(["7"]),
        token_of([7, 8]),
        token_of([-1]),
        token_of([2**63]),
        token_of([True]),
        token_of([1.5]),
        base64.urlsafe_b64encode(b"[" * 10_000).decode(),
    ],
)
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError):
        decode_page_token(token, int)


def test_a_made_up_text_or_time_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        decode_page_token(token_of(["nul\0"]), str)
    with pytest.raises(InvalidArgumentError):
        key_to_time(2**63 - 1)


@given(st.text(max_size=50))
def test_no_text_makes_it_fail_otherwise(token: str) -> None:
    try:
        decode_page_token(token, int)
    except InvalidArgumentError:
        return


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_times_are_exact(time: datetime) -> None:
    assert key_to_time(time_to_key(time)) == time


def test_a_list_of_changes_goes_on_behind_the_last_that_was_shown() -> None:
    # Three of the same time, which only their numbers tell apart.
    keys = [ChangeKey(TIME, number) for number in (3, 2, 1)]
    page = page_of_changes(keys, 2, lambda key: key)
    assert list(page.items) == keys[:2]
    assert decode_change_key(page.next_page_token) == keys[1]
    assert page_of_changes(keys, 3, lambda key: key).next_page_token == ""
    assert decode_change_key("") == ChangeKey()
