"""PayPal's amounts: decimal texts, read and written exactly or not at all."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.currencies import ISO_4217
from services.billing_gateway.paypal.amounts import (
    AMOUNT_MICROS_MAX,
    DECIMALS,
    read_money,
    to_micros,
    to_text,
)
from services.billing_gateway.ports import AmountRefusedError
from services.billing_gateway.reading import UnreadableError

CURRENCIES = st.sampled_from(sorted(DECIMALS))


@given(CURRENCIES, st.integers(1, 10**12))
def test_every_amount_that_paypal_takes_comes_back_as_it_was(code: str, units: int) -> None:
    micros = units * 10 ** (6 - DECIMALS[code])
    assert to_micros(to_text(micros, code), code) == micros
    assert Decimal(to_text(micros, code)) * 1_000_000 == micros


@given(CURRENCIES, st.integers(-(10**12), 10**18))
def test_an_amount_is_written_exactly_or_refused(code: str, micros: int) -> None:
    try:
        text = to_text(micros, code)
    except AmountRefusedError:
        assert micros <= 0 or micros % 10 ** (6 - DECIMALS[code])
    else:
        assert Decimal(text) * 1_000_000 == micros


TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("0123456789.-+eE_ ,", max_size=40),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,14})?", fullmatch=True),
)


@given(CURRENCIES, TEXTS)
def test_a_text_is_an_amount_exactly_or_unreadable(code: str, text: str) -> None:
    """By the pattern that PayPal publishes, and no decimals beyond the currency's."""
    try:
        micros = to_micros(text, code)
    except UnreadableError:
        form = re.fullmatch(r"-?(?:[0-9]+|[0-9]*[.][0-9]+)", text)
        assert (
            form is None
            or len(text) > 32
            or abs(Decimal(text)) * 1_000_000 > AMOUNT_MICROS_MAX
            or Decimal(text) % Decimal(10) ** -DECIMALS[code]
        )
    else:
        assert Decimal(text) * 1_000_000 == micros


@pytest.mark.parametrize(
    ("text", "code", "micros"),
    [
        ("14.90", "USD", 14_900_000),
        ("0.0", "USD", 0),
        ("60.0", "USD", 60_000_000),
        ("1", "USD", 1_000_000),
        ("1001", "USD", 1_001_000_000),
        ("-0.15", "USD", -150_000),
        (".5", "USD", 500_000),
        ("500", "JPY", 500_000_000),
        ("500.00", "JPY", 500_000_000),
        ("9223372036854.77", "USD", 9_223_372_036_854_770_000),
        ("1".zfill(32), "USD", 1_000_000),
    ],
)
def test_every_scale_is_read(text: str, code: str, micros: int) -> None:
    assert to_micros(text, code) == micros


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0.001", "USD"),
        ("500.5", "JPY"),
        ("500.5", "HUF"),
        ("500.5", "TWD"),
        ("1.0", "XXX"),
        ("1", "KWD"),
        ("1", "usd"),
        ("NaN", "USD"),
        ("1e3", "USD"),
        ("1.", "USD"),
        (".", "USD"),
        ("", "USD"),
        ("+1", "USD"),
        ("--1", "USD"),
        ("1 ", "USD"),
        ("1\n", "USD"),
        ("\u0661", "USD"),
        ("1,000", "USD"),
        ("9223372036854.78", "USD"),
        ("0" * 33, "USD"),
        ("9" * 300, "USD"),
    ],
)
def test_what_is_no_amount_is_unreadable(text: str, code: str) -> None:
    with pytest.raises(UnreadableError):
        to_micros(text, code)


def test_an_amount_is_a_text_whatever_json_could_hold() -> None:
    for value in (1, 1.5, None, ["1"], {"value": "1"}, True):
        for found in ({"value": value, "currency_code": "USD"}, {"value": "1", "currency": value}):
            with pytest.raises(UnreadableError):
                read_money({"amount": found}, "amount")


def test_what_paypal_takes_a_wallet_can_stand_in() -> None:
    assert set(DECIMALS) <= ISO_4217


def test_an_amount_is_written_in_as_many_decimals_as_its_currency_has() -> None:
    assert to_text(14_900_000, "USD") == "14.90"
    assert to_text(500_000_000, "JPY") == "500"


@pytest.mark.parametrize("micros", [0, -10_000])
def test_nothing_and_less_is_no_amount_to_ask_for(micros: int) -> None:
    with pytest.raises(AmountRefusedError):
        to_text(micros, "USD")


def test_a_currency_that_paypal_does_not_take_is_refused() -> None:
    with pytest.raises(AmountRefusedError, match="KWD"):
        to_text(1_000_000, "KWD")
