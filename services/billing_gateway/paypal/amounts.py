"""PayPal's amounts: decimal texts of no fixed scale.

Source: PayPal's currency table. A currency that is not listed is refused. HUF, JPY and TWD have no
decimals at PayPal, whatever ISO says.
"""

import re
from dataclasses import dataclass

from services.billing_gateway.ports import AmountRefusedError
from services.billing_gateway.reading import JsonObject, UnreadableError, get_object

AMOUNT_MICROS_MAX = 2**63 - 1
MICROS_DIGITS = 6
TEXT_LENGTH_MAX = 32

DECIMALS = {
    **dict.fromkeys("HUF JPY TWD".split(), 0),
    **dict.fromkeys(
        (
            "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD"
        ).split(),
        2,
    ),
}
FORM = re.compile(r"(-?)(?=[.0-9])([0-9]*)(?:\.([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount and what it is counted in; below zero where PayPal wrote a minus."""

    micros: int
    currency_code: str

    @property
    def size(self) -> int:
        """Return the amount without its sign: v1 writes what is taken back with a minus, v2 not."""
        return abs(self.micros)


def read_money(value: JsonObject, name: str) -> Money:
    """Return an amount of v2 {value, currency_code} or of v1 {total, currency}, or raise."""
    found = get_object(value, name)
    text = found.get("value", found.get("total"))
    currency_code = found.get("currency_code", found.get("currency"))
    if not isinstance(text, str) or not isinstance(currency_code, str):
        raise UnreadableError(f"{name} is not an amount")
    return Money(to_micros(text, currency_code), currency_code)


def to_micros(text: str, currency_code: str) -> int:
    """Return an amount in micros, exactly; or raise UnreadableError."""
    decimals = _decimals(currency_code)
    form = FORM.fullmatch(text) if len(text) <= TEXT_LENGTH_MAX else None
    if form is None:
        raise UnreadableError("an amount is not a plain decimal number")
    sign, whole, fraction = form[1], form[2], (form[3] or "").rstrip("0")
    if len(fraction) > decimals:
        raise UnreadableError(f"an amount has more decimals than {currency_code} has")
    micros = int(whole + fraction.ljust(MICROS_DIGITS, "0"))
    if micros > AMOUNT_MICROS_MAX:
        raise UnreadableError("an amount is out of range")
    return -micros if sign else micros


def _decimals(currency_code: str) -> int:
    decimals = DECIMALS.get(currency_code)
    if decimals is None:
        raise UnreadableError(f"currency {currency_code[:8]!r} is not one that PayPal takes")
    return decimals


def to_text(micros: int, currency_code: str) -> str:
    """Return an amount as PayPal wants it, or raise AmountRefusedError."""
    decimals = DECIMALS.get(currency_code)
    if decimals is None:
        raise AmountRefusedError(f"PayPal takes no {currency_code}")
    smallest_units, rest = divmod(micros, 10 ** (MICROS_DIGITS - decimals))
    if micros <= 0 or rest:
        raise AmountRefusedError(f"PayPal takes amounts of {currency_code} in {decimals} decimals")
    whole, fraction = divmod(smallest_units, 10**decimals)
    return f"{whole}.{fraction:0{decimals}}" if decimals else str(whole)
