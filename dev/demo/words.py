"""Answers in words: what is shown is what is compared."""

from collections.abc import Awaitable, Iterable

import aiohttp

from dev.demo.organization import CURRENCY_CODE
from libs.errors import DomainError
from tollgate.billing_gateway.v1 import subscription_pb2

MICROS_PER_UNIT = 1_000_000


def money(micros: int) -> str:
    """All digits that there are, but two at least: 25.00 USD, 0.0075 USD."""
    units, rest = divmod(micros, MICROS_PER_UNIT)
    return f"{units}.{f'{rest:06}'.rstrip('0').ljust(2, '0')} {CURRENCY_CODE}"


def short(account_sid: str) -> str:
    return f"{account_sid[:6]}..{account_sid[-4:]}"


def each(names: Iterable[str], state: str) -> str:
    """One line for each, all in the same state."""
    return "\n".join(f"{name} {state}" for name in names)


def subscription_state(state: subscription_pb2.SubscriptionState.ValueType) -> str:
    return subscription_pb2.SubscriptionState.Name(state).removeprefix("SUBSCRIPTION_STATE_")


def standing(level: subscription_pb2.OrganizationLevel) -> str:
    in_or_not = "in good standing" if level.good_standing else "not in good standing"
    return f"{subscription_state(level.state)}, {in_or_not}"


async def or_refusal(answer: Awaitable[str]) -> str:
    """The answer, or why there is none."""
    try:
        return await answer
    except DomainError as error:
        return f"refused: {error.reason}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"no answer: {error}"
