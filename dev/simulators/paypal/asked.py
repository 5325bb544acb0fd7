"""The bodies that PayPal takes, as far as the simulator reads them."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from dev.simulators.given import Address
from dev.simulators.paypal.errors import invalid

Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=127)]
PayerId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{13}$")]

AskedT = TypeVar("AskedT")


@dataclass(frozen=True)
class Money:
    """An amount in its currency."""

    value: Amount
    currency_code: Currency


@dataclass(frozen=True)
class Unit:
    """What is paid, and whose it is."""

    amount: Money
    custom_id: Id | None = None
    invoice_id: Id | None = None


@dataclass(frozen=True)
class Context:
    """Where a customer goes after the page."""

    return_url: Address | None = None
    cancel_url: Address | None = None


@dataclass(frozen=True)
class PayPalWallet:
    """The customer pays by PayPal."""

    experience_context: Context = Context()


@dataclass(frozen=True)
class PaymentSource:
    """What the customer pays with."""

    paypal: PayPalWallet


@dataclass(frozen=True)
class AskedOrder:
    """Without a payment source the application's context counts, as in older clients."""

    intent: Literal["CAPTURE"]
    purchase_units: Annotated[list[Unit], Field(min_length=1, max_length=1)]
    payment_source: PaymentSource | None = None
    application_context: Context = Context()

    @property
    def context(self) -> Context:
        if self.payment_source is None:
            return self.application_context
        return self.payment_source.paypal.experience_context


@dataclass(frozen=True)
class AskedSubscription:
    """A plan for a customer."""

    plan_id: Id
    custom_id: Id | None = None
    application_context: Context = Context()


@dataclass(frozen=True)
class AskedRefund:
    """Without an amount, all that is left."""

    amount: Money | None = None


def read_body(text: bytes) -> dict[str, Any]:
    try:
        return TypeAdapter(dict[str, Any]).validate_json(text or b"{}")
    except ValidationError as error:
        raise invalid("MALFORMED_REQUEST_JSON") from error


def read(kind: type[AskedT], body: dict[str, Any]) -> AskedT:
    """What is asked for, or PayPal's word about the first thing that is wrong with it."""
    try:
        return TypeAdapter(kind).validate_python(body)
    except ValidationError as error:
        first = error.errors()[0]
        is_missing = first["type"] == "missing"
        issue = "MISSING_REQUIRED_PARAMETER" if is_missing else "INVALID_PARAMETER_VALUE"
        raise invalid(issue, "".join(f"/{each}" for each in first["loc"])) from error
