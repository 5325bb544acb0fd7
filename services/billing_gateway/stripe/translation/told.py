"""An object of Stripe's that was told, by an event or by an answer of the API."""

from dataclasses import dataclass
from datetime import datetime

from services.billing_gateway.domain.values import PaymentObject
from services.billing_gateway.reading import JsonObject

# Which of its objects names a flow of money: the lowest. What credits it names it by NAMING.
NAMING, INTENT, INVOICE, CHARGE, CHECKOUT = range(5)


@dataclass(frozen=True, slots=True)
class Told:
    """An object, as of when it stands so, and the event that says so; an answer has none."""

    object: JsonObject
    # None: the time that was told cannot be one.
    time: datetime | None
    receive_time: datetime
    event_id: str = ""
    event_type: str = ""
    # Whose early warnings of fraud block spending.
    blocking_fraud_types: frozenset[str] = frozenset()

    @property
    def money_time(self) -> datetime:
        """Return when money moved: at the latest when we heard of it."""
        return self.time or self.receive_time


def payment_objects(*named: tuple[str, int]) -> tuple[PaymentObject, ...]:
    """Return the objects of a flow, each once; what has no id is none."""
    ranks: dict[str, int] = {}
    for object_id, rank in named:
        if object_id:
            ranks.setdefault(object_id, rank)
    return tuple(PaymentObject(object_id, rank) for object_id, rank in ranks.items())
