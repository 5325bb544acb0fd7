"""What is asked of Stripe, and what it refuses."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from dev.simulators.given import Address
from dev.simulators.stripe.errors import refused
from dev.simulators.stripe.forms import Form, read
from dev.simulators.stripe.objects import Session

# The least that Stripe takes, in the smallest unit, where it is not 50.
AMOUNT_MIN = {"jpy": 50, "huf": 17_500, "gbp": 30}
AMOUNT_MAX = 99_999_999

Metadata = dict[str, str]


@dataclass(frozen=True)
class AskedPrice:
    """An amount in the currency's smallest unit."""

    currency: str
    unit_amount: NonNegativeInt


@dataclass(frozen=True)
class AskedItem:
    """What is paid: a price that Stripe knows, or one of its own."""

    price: str = ""
    price_data: AskedPrice | None = None


@dataclass(frozen=True)
class AskedMaking:
    """What is written on what a session makes."""

    metadata: Metadata = Field(default_factory=dict)


@dataclass(frozen=True)
class AskedSession:
    """A page where a customer pays for one thing."""

    line_items: Annotated[dict[str, AskedItem], Field(min_length=1, max_length=1)]
    success_url: Address
    cancel_url: Address = ""
    mode: Literal["payment", "subscription"] = "payment"
    client_reference_id: str = ""
    metadata: Metadata = Field(default_factory=dict)
    payment_intent_data: AskedMaking = AskedMaking()
    subscription_data: AskedMaking = AskedMaking()


@dataclass(frozen=True)
class AskedRefund:
    """Without an amount, all that is left."""

    payment_intent: str
    amount: PositiveInt | None = None


@dataclass(frozen=True)
class AskedPayment:
    """The payment whose invoices are listed."""

    type: Literal["payment_intent"]
    payment_intent: str


@dataclass(frozen=True)
class AskedInvoicePayments:
    """What was paid with one payment."""

    payment: AskedPayment


@dataclass(frozen=True)
class AskedExpansion:
    """What is told whole instead of by its id."""

    expand: dict[str, str] = Field(default_factory=dict)


def order_session(form: Form, now: datetime) -> Session:
    """Return the session that is asked for, not kept yet."""
    asked = read(AskedSession, form)
    [item] = asked.line_items.values()
    session = Session(
        created=now,
        mode=asked.mode,
        client_reference_id=asked.client_reference_id,
        metadata=asked.metadata,
        success_url=asked.success_url,
        cancel_url=asked.cancel_url,
    )
    if session.mode == "subscription":
        session.made_metadata = asked.subscription_data.metadata
        return _with_price(session, item.price)
    session.made_metadata = asked.payment_intent_data.metadata
    return _with_amount(session, item.price_data)


def _with_price(session: Session, price_id: str) -> Session:
    if not price_id.startswith("price_"):
        raise refused(f"No such price: '{price_id}'", "resource_missing")
    session.price_id = price_id
    return session


def _with_amount(session: Session, price: AskedPrice | None) -> Session:
    if price is None:
        raise refused("Missing required param: line_items[0][price_data].", "parameter_missing")
    session.currency, session.amount = price.currency, price.unit_amount
    if session.amount < AMOUNT_MIN.get(session.currency, 50):
        raise refused("The amount is below the least that can be charged.", "amount_too_small")
    if session.amount > AMOUNT_MAX:
        raise refused("The amount must be no more than 999,999.99.", "amount_too_large")
    return session
