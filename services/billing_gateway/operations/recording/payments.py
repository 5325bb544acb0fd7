"""Payments: each flow of money has one row and one credit, whatever tells of it first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from libs.announcing.ports import LevelKey
from libs.database import Connection
from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger
from services.billing_gateway.domain import flows
from services.billing_gateway.domain.crediting import PlanCredit
from services.billing_gateway.domain.observations import (
    ComponentObserved,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    RefundedInAll,
)
from services.billing_gateway.domain.ownership import Unowned
from services.billing_gateway.domain.payment_level import standing_of, state_of
from services.billing_gateway.domain.values import ChangeCause, Payment, Provider
from services.billing_gateway.operations.levels import Levels, payment_key
from services.billing_gateway.operations.recording.crediting import Crediting
from services.billing_gateway.operations.recording.flows import Flow, FlowBook, write
from services.billing_gateway.operations.recording.parts import (
    Organizations,
    PartRecorded,
    PaymentTold,
    Told,
)
from services.billing_gateway.operations.recording_port import Source
from services.billing_gateway.storage import inbox


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of one flow."""

    problem: str = ""
    level: LevelKey | None = None
    looks_due: bool = False
    news_of: frozenset[str] = frozenset()


class PaymentRecording:
    """Keeps the flows of money, credits each once, and tells how it stands."""

    def __init__(
        self, levels: Levels, plans: Mapping[str, PlanCredit], askable: frozenset[Provider]
    ) -> None:
        self._levels = levels
        self._crediting = Crediting(plans, askable)
        self._askable = askable

    async def lock(
        self,
        connection: Connection,
        source: Source,
        observations: Sequence[PaymentTold],
        *,
        wait: bool,
    ) -> "LockedPayments":
        """Lock the rows there are of the flows that are spoken of."""
        object_ids = {each.object_id for told in observations for each in told.objects}
        book = FlowBook(source.provider)
        if object_ids:
            await book.load(connection, object_ids, wait=wait)
        return LockedPayments(self, book)

    async def keep(self, connection: Connection, flow: Flow, organizations: Organizations) -> Kept:
        """Credit a flow as soon as that can be decided, and write it with its level."""
        undecided = await self._crediting.credit(connection, flow, organizations)
        payment, is_news = _as_it_stands(flow, undecided.problem)
        flow.payment = payment
        if flow.is_changed:
            await write(connection, flow, is_strange=self._is_strange(flow))
        # The events of its rows; one that is settled right now is named when that is done.
        if flow.rows and flow.got_owner and payment.organization_id is not None:
            await inbox.name_organization(
                connection, payment.provider, payment.event_ids, payment.organization_id
            )
        if is_news:
            await self._levels.mark_payment(connection, flow.payment)
        return Kept(
            problem=undecided.problem if flow.paid is not None else "",
            level=payment_key(flow.payment) if is_news else None,
            looks_due=undecided.is_look_due,
            news_of=frozenset(flow.objects) if flow.got_owner else frozenset(),
        )

    def _is_strange(self, flow: Flow) -> bool:
        """Of what is neither paid nor anybody's only the provider knows what it belongs to.

        So it is with what was never paid and is refunded or disputed, whosever it is: its money is
        that of an object which no event has named with it.
        """
        payment = flow.payment
        is_taken_back = flow.components or payment.refunded_in_all_micros
        is_known = payment.organization_id is not None and not is_taken_back
        is_open = payment.paid_micros is None and not is_known
        return is_open and payment.provider in self._askable


@dataclass(frozen=True)
class LockedPayments:
    """The flows of money that one transaction speaks of."""

    recording: PaymentRecording
    book: FlowBook

    def owner_of(self, observation: PaymentTold, found: str | Unowned) -> str | Unowned:
        """Return the owner of its row, if that is known; what is told later moves no money."""
        for flow in self.book.find(observation.objects):
            owner = flow.payment.organization_id
            if owner is not None:
                _require_owner(flow.payment, owner, observation, found)
                return owner
        return found

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Tell every flow what was told of it, then credit and write each once."""
        for each in told:
            if isinstance(each.observation, PaymentTold):
                flow = self.book.join(each.observation.objects, source.receive_time)
                _tell(flow, source, each.observation, each.owner)
        kept = [
            await self.recording.keep(connection, flow, organizations) for flow in self.book.flows
        ]
        return PartRecorded(
            problems=tuple(each.problem for each in kept if each.problem),
            payment_levels=tuple(each.level for each in kept if each.level is not None),
            looks_due=any(each.looks_due for each in kept),
            news_of=frozenset[str]().union(*(each.news_of for each in kept)),
        )


def _require_owner(
    payment: Payment, owner: str, observation: PaymentTold, found: str | Unowned
) -> None:
    """Refuse a payment that says itself, and is believed, that it is somebody else's."""
    claim = observation.claim if isinstance(observation, PaymentPaid) else None
    if claim is not None and claim.organization_id == found != owner:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            f"payment {payment.payment_id} is known as {owner}'s",
        )


def _tell(flow: Flow, source: Source, told: PaymentTold, owner: str | Unowned) -> None:
    payment = flow.payment
    match told:
        case PaymentPaid():
            flow.paid = told
            payment = _owned(flows.tell_paid(payment, told), owner)
            if payment.organization_id is None and isinstance(owner, Unowned):
                payment = replace(payment, problem=owner.problem)
        case PaymentProgressed():
            payment = _owned(flows.tell_progress(payment, told), owner)
        case RefundedInAll():
            payment = flows.tell_refunded_in_all(payment, told)
        case ComponentObserved():
            _join(flow, source, told)
        case PaymentLinked():
            pass
        case _:
            assert_never(told)
    if source.cause is ChangeCause.EVENT and source.source_id not in payment.event_ids:
        payment = replace(payment, event_ids=(*payment.event_ids, source.source_id))
    flow.payment = payment


def _owned(payment: Payment, owner: str | Unowned) -> Payment:
    if payment.organization_id is None and isinstance(owner, str):
        return replace(payment, organization_id=owner)
    return payment


def _join(flow: Flow, source: Source, told: ComponentObserved) -> None:
    component = told.component
    flow.join(replace(component, event_id=component.event_id or source.source_id))
    paid_in = flow.payment.currency_code
    if component.amount_micros and paid_in not in ("", component.currency_code):
        get_logger().warning(
            "component_in_another_currency",
            payment_id=flow.payment.payment_id,
            component_id=component.component_id,
        )


def _as_it_stands(flow: Flow, problem: str) -> tuple[Payment, bool]:
    """Return the payment with its level, and whether that is news for the wallet."""
    parts, stored = list(flow.components.values()), flow.stored
    payment = replace(flow.payment, standing=standing_of(flow.payment, parts), problem=problem)
    payment = replace(payment, state=state_of(payment, parts))
    was_credited = stored is not None and stored.credited_micros is not None
    told = stored.standing if stored is not None and was_credited else None
    is_news = payment.credited_micros is not None and payment.standing != told
    return replace(payment, revision=payment.revision + is_news), is_news
