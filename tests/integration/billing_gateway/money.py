"""What a gateway records of payments, by its own parts and without its loops."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from libs.announcing.announcer import Announcer
from libs.announcing.ports import AnnouncerTiming
from libs.database import Connection, Database, Record
from libs.errors import DomainError
from libs.metrics import ServiceMetrics
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.crediting import PlanCredit
from services.billing_gateway.domain.observations import (
    Claim,
    ComponentObserved,
    Observation,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    RefundedInAll,
)
from services.billing_gateway.domain.values import (
    ChangeCause,
    Component,
    ComponentKind,
    ComponentState,
    PaymentFilter,
    PaymentObject,
    PaymentProgress,
    Provider,
)
from services.billing_gateway.operations.assigning import Assigning, Assignment
from services.billing_gateway.operations.levels import Levels, PaymentLevels, SubscriptionLevels
from services.billing_gateway.operations.queries.payments import PaymentQueries, SeenPayment
from services.billing_gateway.operations.recording import OwnershipRules, Recorder
from services.billing_gateway.operations.recording.parts import (
    Organizations,
    PartRecorded,
    Told,
    Wakes,
)
from services.billing_gateway.operations.recording.payments import PaymentRecording
from services.billing_gateway.operations.recording.subscriptions import (
    SubscriptionRecording,
    SubscriptionTiming,
)
from services.billing_gateway.operations.recording_port import Recorded, Source
from tests.support.databases import ServiceDatabase

STRIPE, PAYPAL = Provider.STRIPE, Provider.PAYPAL
START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TIMING = AnnouncerTiming(60.0, 60.0, 3600.0)


class NoCheckouts:
    """No checkout is Tollgate's."""

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Record nothing."""
        return PartRecorded()


@dataclass(frozen=True)
class Money:
    """The recording and the reads of one gateway's database."""

    database: Database
    recorder: Recorder
    queries: PaymentQueries
    assigning: Assigning

    async def tell(
        self, event_id: str, *observations: Observation, provider: Provider = STRIPE
    ) -> Recorded:
        """Record what an event tells, waiting for whoever records at the same time."""
        source = Source(provider, event_id, ChangeCause.EVENT, START)
        return await self.database.transact(
            self.recorder.record, source, list(observations), wait=True
        )

    async def payment(self, object_id: str, provider: Provider = STRIPE) -> SeenPayment:
        """Return the payment that an object belongs to."""
        return await self.queries.get_payment(provider, f"{provider.lower()}:{object_id}")

    async def payments(self, **wanted: object) -> Sequence[SeenPayment]:
        """Return payments, newest first."""
        filter_ = replace(PaymentFilter(), **wanted)  # type: ignore[arg-type]
        return (await self.queries.list_payments(filter_, 500, "")).items

    async def assign(
        self, payment_id: str, organization_id: str = "org-1", provider: Provider = STRIPE
    ) -> None:
        """Say whose a payment is."""
        assignment = Assignment(provider, payment_id, organization_id, "ann", "ticket-7")
        await self.assigning.assign(assignment)

    async def fetch(self, statement: str, *arguments: object) -> list[Record]:
        """Look into the database, or change it behind the gateway's back."""

        async def work(connection: Connection) -> list[Record]:
            return await connection.fetch(statement, *arguments)

        return await self.database.run(work)


@asynccontextmanager
async def open_money(
    database: ServiceDatabase,
    plans: Mapping[str, PlanCredit] | None = None,
    *,
    trust_claims: bool = True,
) -> AsyncIterator[Money]:
    """Build the parts as the service does; nothing is told to anybody."""
    connected = await Database.connect(SecretStr(database.url), 10, "billing_gateway")
    levels = _levels(connected)
    askable = frozenset(Provider)
    payments = PaymentRecording(levels, plans or {}, askable)
    wakes = Wakes(_nobody, _nobody, _nobody)
    recorder = Recorder(
        levels=levels,
        ownership=OwnershipRules(trust_claims, ClaimKeys(())),
        subscriptions=SubscriptionRecording(SubscriptionTiming(DAY, DAY, DAY), askable),
        payments=payments,
        checkouts=NoCheckouts(),
        wakes=wakes,
    )
    yield Money(
        connected,
        recorder,
        PaymentQueries(connected, levels),
        Assigning(connected, levels, payments, wakes),
    )
    await connected.close()


def _levels(database: Database) -> Levels:
    metrics = ServiceMetrics()
    return Levels(
        subscription_announcer=Announcer(
            level="subscription",
            database=database,
            source=SubscriptionLevels(),
            observers=[],
            metrics=metrics,
            timing=TIMING,
        ),
        payment_announcer=Announcer(
            level="payment",
            database=database,
            source=PaymentLevels(),
            observers=[],
            metrics=metrics,
            timing=TIMING,
        ),
        slack=DAY,
    )


def _nobody() -> None:
    """Nobody is woken."""


def objects(*told: str) -> tuple[PaymentObject, ...]:
    """Return objects with the ranks that their kinds have; one written `pi_1=0` has its own."""
    ranks = {"in": 2, "pi": 1, "ch": 3, "cs": 4}
    found = []
    for each in told:
        object_id, _, rank = each.partition("=")
        found.append(PaymentObject(object_id, int(rank or ranks[object_id.partition("_")[0]])))
    return tuple(found)


def paid(*told: str, micros: int = 25_000_000, organization_id: str = "org-1") -> PaymentPaid:
    """Return what a paid top-up tells; the first object is the credit source."""
    return PaymentPaid(
        objects=objects(*told),
        subscription_id="",
        customer_id="",
        checkout_id="",
        claim=Claim(organization_id) if organization_id else None,
        lines=(),
        currency_code="USD",
        paid_micros=micros,
        paid_time=START,
    )


def linked(*told: str) -> PaymentLinked:
    """Say that objects are one flow."""
    return PaymentLinked(objects(*told))


def progressed(*told: str, progress: str = "PENDING", for_good: bool = False) -> PaymentProgressed:
    """Say that a payment is under way, or has failed."""
    return PaymentProgressed(
        objects=objects(*told),
        subscription_id="",
        customer_id="",
        claim=None,
        progress=PaymentProgress(progress),
        provider_time=START,
        rank=0,
        for_good=for_good,
    )


def refund(of: str, component_id: str, micros: int, state: str = "SUCCEEDED") -> ComponentObserved:
    """Say how a refund stands."""
    return _component(of, component_id, ComponentKind.REFUND, state, micros)


def dispute(
    of: str,
    component_id: str = "dp_1",
    state: str = "OPEN",
    micros: int = 25_000_000,
    *,
    rank: int = 0,
    withdrawal_count: int = 0,
    blocks_spending: bool = False,
) -> ComponentObserved:
    """Say how a dispute stands."""
    told = _component(of, component_id, ComponentKind.DISPUTE, state, micros)
    component = replace(
        told.component,
        rank=rank,
        withdrawal_count=withdrawal_count,
        blocks_spending=blocks_spending,
    )
    return replace(told, component=component)


def refunded_in_all(of: str, micros: int) -> RefundedInAll:
    """Tell a running total."""
    return RefundedInAll(objects(of), micros, "USD", START)


def _component(
    of: str, component_id: str, kind: ComponentKind, state: str, micros: int
) -> ComponentObserved:
    component = Component(
        component_id, kind, ComponentState(state), micros, "USD", START, 0, event_id="evt_part"
    )
    return ComponentObserved(objects(of), component)


async def refusal_of(doing: object) -> DomainError:
    """Return the error with which something is refused."""
    try:
        await doing  # type: ignore[misc]
    except DomainError as error:
        return error
    raise AssertionError("it was not refused")
