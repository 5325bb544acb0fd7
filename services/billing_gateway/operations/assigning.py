"""Says whose a payment is that nobody could be named for."""

from dataclasses import dataclass, replace

from libs.announcing.ports import LevelKey
from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.operations.queries.payments import find_payment
from services.billing_gateway.operations.recording.flows import Flow, FlowBook
from services.billing_gateway.operations.recording.parts import Wakes
from services.billing_gateway.operations.recording.payments import PaymentRecording
from services.billing_gateway.storage import inbox, organizations, payments

READ_AGAIN = "what it was paid for is read again"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A caller's word on whose a payment is."""

    provider: Provider
    payment_id: str
    organization_id: str
    actor: str
    note: str


class Assigning:
    """AssignPayment."""

    def __init__(
        self, database: Database, levels: Levels, recording: PaymentRecording, wakes: Wakes
    ) -> None:
        self._database = database
        self._levels = levels
        self._recording = recording
        self._wakes = wakes

    async def assign(self, assignment: Assignment) -> None:
        """Give a payment its owner; it is credited as soon as it is known what it credits."""
        level = await self._database.transact(self._assign, assignment)
        if level is not None:
            self._levels.wake_payment(level.organization_id, level.key)
        self._wakes.settling()

    async def _assign(self, connection: Connection, assignment: Assignment) -> LevelKey | None:
        """Return the level that is to be told, if there is a new one."""
        provider = assignment.provider
        found = await find_payment(connection, provider, assignment.payment_id)
        book = await FlowBook(provider).load(connection, found.object_ids, wait=True)
        # A top-up of ours that nobody has paid yet has no row, but an owner.
        owners = [flow.payment.organization_id for flow in book.flows]
        [owner] = owners or [found.payment.organization_id]
        if owner is not None:
            _require_same_owner(owner, assignment)
            return None
        [flow] = book.flows
        return await self._give(connection, flow, assignment)

    async def _give(
        self, connection: Connection, flow: Flow, assignment: Assignment
    ) -> LevelKey | None:
        owner = assignment.organization_id
        organization = await organizations.lock(connection, owner)
        flow.payment = replace(flow.payment, organization_id=owner, problem=READ_AGAIN)
        kept = await self._recording.keep(connection, flow, {owner: organization})
        await payments.note_assignment(connection, flow.payment, assignment.actor, assignment.note)
        reference = f"{assignment.provider} {flow.payment.payment_id}"
        act = Act("AssignPayment", assignment.actor, assignment.note, owner, reference)
        await append_action(connection, act)
        # What a subscription's payment was for stands in the event that is parked.
        await inbox.unpark(connection, assignment.provider, kept.news_of)
        return kept.level


def _require_same_owner(owner: str, assignment: Assignment) -> None:
    if owner != assignment.organization_id:
        raise DomainError(
            ErrorReason.ALREADY_LINKED,
            "the payment belongs to another organization",
            paymentId=assignment.payment_id,
        )
