"""The flows of money that a transaction has locked, by their objects; changed, then written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

from libs.database import Connection
from services.billing_gateway.domain import components as joining
from services.billing_gateway.domain import flows
from services.billing_gateway.domain.observations import PaymentPaid
from services.billing_gateway.domain.values import Component, Payment, PaymentObject, Provider
from services.billing_gateway.operations.recording_port import ObjectsBusyError
from services.billing_gateway.storage import components, payment_objects, payments

# Between finding and locking a row it may have gone into another one.
ATTEMPTS_MAX = 5


@dataclass(eq=False)
class Flow:
    """One flow of money: its row as it was found, and everything as it is now."""

    payment: Payment
    # None: there is no row yet.
    stored: Payment | None = None
    absorbed: list[Payment] = field(default_factory=list)
    objects: dict[str, PaymentObject] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)
    changed_objects: set[str] = field(default_factory=set)
    changed_components: set[str] = field(default_factory=set)
    # What was told right now; its lines are kept nowhere else.
    paid: PaymentPaid | None = None

    @property
    def is_changed(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(
            self.payment != self.stored
            or self.absorbed
            or self.changed_objects
            or self.changed_components
        )

    @property
    def rows(self) -> list[Payment]:
        """Return what was found of it."""
        return [row for row in (self.stored, *self.absorbed) if row is not None]

    @property
    def got_owner(self) -> bool:
        """Tell whether only now it is known whose it is."""
        was_unknown = not self.rows or any(row.organization_id is None for row in self.rows)
        return was_unknown and self.payment.organization_id is not None

    def add_object(self, told: PaymentObject) -> None:
        """Take an object in; of several ranks the lowest counts."""
        known = self.objects.get(told.object_id)
        if known is None or told.name_rank < known.name_rank:
            self.objects[told.object_id] = told
            self.changed_objects.add(told.object_id)

    def join(self, told: Component) -> None:
        """Join what was told of a component with what is known of it."""
        known = self.components.get(told.component_id)
        joined = joining.join(known, told)
        if joined != known:
            self.components[told.component_id] = joined
            self.changed_components.add(told.component_id)

    def absorb(self, other: "Flow") -> None:
        """Take in another flow that proves to be this one; what has a row keeps the row."""
        merge = flows.plan_merge([self.payment, other.payment])
        stays, goes = (self, other) if merge.survivor is self.payment else (other, self)
        rows = [flow.stored for flow in (stays, goes) if flow.stored is not None]
        self.payment = reduce(flows.absorb, merge.absorbed, merge.survivor)
        self.stored = rows[0] if rows else None
        self.absorbed += [*other.absorbed, *rows[1:]]
        for each in other.objects.values():
            self.add_object(each)
        for component in other.components.values():
            self.join(component)
        # Whichever row they were of may be the one that goes.
        self.changed_components.update(self.components)
        self.paid = self.paid or other.paid


class FlowBook:
    """All flows of a transaction."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._by_object: dict[str, Flow] = {}

    @property
    def flows(self) -> Sequence[Flow]:
        """Return every flow once."""
        return list(dict.fromkeys(self._by_object.values()))

    async def load(
        self, connection: Connection, object_ids: Iterable[str], *, wait: bool
    ) -> "FlowBook":
        """Lock and read the flows that objects belong to.

        Raises ObjectsBusyError instead of waiting for them.
        """
        wanted = set(object_ids)
        for _ in range(ATTEMPTS_MAX if wait else 1):
            names = await payment_objects.list_payment_ids(connection, self._provider, wanted)
            if not names:
                return self
            rows = await payments.lock(connection, self._provider, names, wait=wait)
            locked = {row.payment_id for row in rows}
            objects = await payment_objects.list_of(connection, self._provider, wanted, locked)
            if {each.payment_id for each in objects} == locked:
                await self._fill(connection, rows, objects)
                return self
        raise ObjectsBusyError

    async def _fill(
        self,
        connection: Connection,
        rows: Sequence[Payment],
        objects: Sequence[payment_objects.StoredObject],
    ) -> None:
        by_payment = await components.list_of_payments(
            connection, self._provider, [row.payment_id for row in rows]
        )
        for row in rows:
            own = [each.object for each in objects if each.payment_id == row.payment_id]
            flow = Flow(
                payment=row,
                stored=row,
                objects={each.object_id: each for each in own},
                components={each.component_id: each for each in by_payment[row.payment_id]},
            )
            self._by_object.update(dict.fromkeys(flow.objects, flow))

    def find(self, objects: Iterable[PaymentObject]) -> list[Flow]:
        """Return the flows that objects belong to, as far as it is known."""
        found = [self._by_object.get(each.object_id) for each in objects]
        return list(dict.fromkeys(flow for flow in found if flow is not None))

    def join(self, objects: Sequence[PaymentObject], now: datetime) -> Flow:
        """Return the one flow that objects belong to: several become one, none a new one."""
        found = self.find(objects)
        flow, *others = found or [self._begin(objects, now)]
        for other in others:
            flow.absorb(other)
        for each in objects:
            flow.add_object(each)
        self._by_object.update(dict.fromkeys(flow.objects, flow))
        return flow

    def _begin(self, objects: Sequence[PaymentObject], now: datetime) -> Flow:
        name = flows.flow_name(self._provider, objects)
        return Flow(Payment(self._provider, name, create_time=now))


async def write(connection: Connection, flow: Flow, *, is_strange: bool) -> None:
    """Write a flow that is changed. Rows go into it before it may take the name of one of them."""
    payment, stored = flow.payment, flow.stored
    if stored is None or stored.revision == 0:
        name = flows.flow_name(payment.provider, flow.objects.values())
        payment = replace(payment, payment_id=name)
    if stored is not None:
        for absorbed in flow.absorbed:
            await payments.absorb(connection, absorbed, stored.payment_id)
        if stored.payment_id != payment.payment_id:
            await payments.rename(connection, stored, payment.payment_id)
    await payments.save(connection, payment, is_strange=is_strange)
    flow.payment = payment
    await _write_parts(connection, flow)


async def _write_parts(connection: Connection, flow: Flow) -> None:
    provider, payment_id = flow.payment.provider, flow.payment.payment_id
    if flow.changed_objects:
        changed = [flow.objects[each] for each in sorted(flow.changed_objects)]
        await payment_objects.save(connection, provider, payment_id, changed)
    if flow.changed_components:
        told = [flow.components[each] for each in sorted(flow.changed_components)]
        await components.save(connection, provider, payment_id, told)
