"""Stripe's amounts are integers in a currency's smallest unit; this is how small that is.

Source: docs.stripe.com/currencies. A currency that is not listed is refused. ISK and UGX are left
out: Stripe treats them by rules of their own.
"""

AMOUNT_MICROS_MAX = 2**63 - 1

ZERO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()
TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD "
    "CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR "
    "MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD "
    "SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER "
    "ZAR ZMW"
).split()
THREE_DECIMALS = "BHD JOD KWD OMR TND".split()

MICROS_PER_UNIT = {
    **dict.fromkeys(ZERO_DECIMALS, 1_000_000),
    **dict.fromkeys(TWO_DECIMALS, 10_000),
    **dict.fromkeys(THREE_DECIMALS, 1_000),
}


def to_micros(amount: int, currency_code: str) -> int:
    """Return an amount in micros, exactly. Raises ValueError for what cannot be kept."""
    micros_per_unit = MICROS_PER_UNIT.get(currency_code)
    if micros_per_unit is None:
        raise ValueError(f"currency {currency_code!r} is not one that Tollgate converts")
    micros = amount * micros_per_unit
    if not 0 <= micros <= AMOUNT_MICROS_MAX:
        raise ValueError(f"amount {amount} is out of range")
    return micros


def from_micros(amount_micros: int, currency_code: str) -> int:
    """Return an amount as Stripe is told it. Raises ValueError for what cannot be told exactly."""
    micros_per_unit = MICROS_PER_UNIT.get(currency_code)
    if micros_per_unit is None:
        raise ValueError(f"currency {currency_code!r} is not one that Tollgate converts")
    amount, rest = divmod(amount_micros, micros_per_unit)
    if rest:
        raise ValueError(f"{currency_code} has no part as small as that")
    return amount
