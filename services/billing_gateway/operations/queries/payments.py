"""What became of payments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from libs.announcing.ports import Delivery
from libs.database import Connection, Database
from libs.paging import Page, page_limit, page_of
from services.billing_gateway.domain.flows import object_of
from services.billing_gateway.domain.values import (
    Component,
    Payment,
    PaymentFilter,
    Place,
    Provider,
)
from services.billing_gateway.operations.levels import Levels, payment_not_found
from services.billing_gateway.operations.queries.places import decode_place, encode_place
from services.billing_gateway.storage import components, payment_lists
from services.billing_gateway.storage.payment_lists import ListedPayment


@dataclass(frozen=True, slots=True)
class SeenPayment:
    """A payment as it stands, and how far the wallet has taken it."""

    payment: Payment
    delivery: Delivery
    object_ids: tuple[str, ...]
    checkout_reference_id: str
    # Empty in a list.
    components: tuple[Component, ...] = ()


async def find_payment(
    connection: Connection, provider: Provider, payment_id: str
) -> ListedPayment:
    """Return the payment that an object belongs to, named with its provider or without."""
    object_id = object_of(provider, payment_id)
    found = await payment_lists.find(connection, provider, object_id) if object_id else None
    if found is None:
        raise payment_not_found(payment_id)
    return found


class PaymentQueries:
    """The reads of payments."""

    def __init__(self, database: Database, levels: Levels) -> None:
        self._database = database
        self._levels = levels

    async def get_payment(self, provider: Provider, payment_id: str) -> SeenPayment:
        """Return the payment that an object belongs to, named with its provider or without."""
        return await self._database.read_snapshot(self._get_payment, provider, payment_id)

    async def _get_payment(
        self, connection: Connection, provider: Provider, payment_id: str
    ) -> SeenPayment:
        found = await find_payment(connection, provider, payment_id)
        name = found.payment.payment_id
        parts = await components.list_of_payments(connection, provider, [name])
        [seen] = await self._see(connection, [found])
        return replace(seen, components=tuple(parts[name]))

    async def list_payments(
        self, wanted: PaymentFilter, page_size: int, page_token: str
    ) -> Page[SeenPayment]:
        """Return a page of payments, newest first, without their components."""
        before = decode_place(page_token)
        return await self._database.read_snapshot(
            self._list_payments, wanted, page_limit(page_size), before
        )

    async def _list_payments(
        self, connection: Connection, wanted: PaymentFilter, limit: int, before: Place
    ) -> Page[SeenPayment]:
        found = await payment_lists.list_payments(connection, wanted, before, limit + 1)
        page = page_of(found, limit, lambda last: encode_place(last.place))
        return Page(await self._see(connection, page.items), page.next_page_token)

    async def _see(
        self, connection: Connection, found: Sequence[ListedPayment]
    ) -> list[SeenPayment]:
        deliveries = await self._levels.read_payment_deliveries(
            connection, [each.payment for each in found]
        )
        return [
            SeenPayment(each.payment, delivery, each.object_ids, each.checkout_reference_id)
            for each, delivery in zip(found, deliveries, strict=True)
        ]
