"""Runs errands for checkouts: takes the money of approved ones, and asks how the others stand.

A word that was lost on its way is found like this. Each is claimed for a while, the provider is
asked outside of any transaction, and what it answers is recorded as events are.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

from libs.database import Connection, Database, DatabaseUnavailableError
from libs.errors import DomainError
from libs.logs import get_logger, working_on
from libs.workers import back_off_seconds
from services.billing_gateway.domain.checkouts import Errand, next_errand, next_look_in
from services.billing_gateway.domain.observations import CheckoutObserved
from services.billing_gateway.domain.values import Checkout, CheckoutState
from services.billing_gateway.operations.asking import BY_ITSELF, Asking, source_of
from services.billing_gateway.operations.recording_port import Recorded, Recording
from services.billing_gateway.ports import Answer, ProviderError, ProviderUnavailableError
from services.billing_gateway.storage import checkouts
from services.billing_gateway.storage.checkouts import DueCheckout

AT_ONCE = 4
# More than twice what a provider may take for one answer.
LEASE_SECONDS = 60.0
BACK_OFF_BASE_SECONDS = 1.0
BACK_OFF_MAX_SECONDS = 3600.0


@dataclass(frozen=True)
class Errands:
    """What is due for checkouts, a few at a time."""

    database: Database
    asking: Asking
    recording: Recording
    look_interval: timedelta
    lease_seconds: float = LEASE_SECONDS

    async def run_due(self) -> bool:
        """Run some errands that are due; answer whether there may be more."""
        if not self.asking.askable:
            return False
        claimed = await self.database.run(
            checkouts.claim_due, self.asking.askable, self.lease_seconds, AT_ONCE
        )
        await asyncio.gather(*(self._run_contained(due) for due in claimed))
        return len(claimed) == AT_ONCE

    async def _run_contained(self, due: DueCheckout) -> None:
        """Whatever goes wrong with one, others go on; it is due again when its lease ends."""
        checkout = due.checkout
        with working_on(
            organization_id=checkout.organization_id,
            reference_id=checkout.reference_id,
            checkout_id=checkout.checkout_id,
        ):
            try:
                await self._run(due)
            except DatabaseUnavailableError:
                get_logger().warning("errand_waits_for_database")
            except Exception:  # noqa: BLE001 - whatever it is
                get_logger().exception("errand_failed")

    async def _run(self, due: DueCheckout) -> None:
        try:
            answer = await self._ask(due.checkout)
            recorded = await self.database.transact(self._record, due, answer)
        except DatabaseUnavailableError:
            raise
        except ProviderUnavailableError as error:
            seconds = back_off_seconds(
                due.attempt_count, BACK_OFF_BASE_SECONDS, BACK_OFF_MAX_SECONDS
            )
            await self.database.run(
                checkouts.schedule,
                due,
                timedelta(seconds=seconds),
                attempt_count=due.attempt_count,
                error=str(error),
            )
        except (ProviderError, DomainError) as error:
            get_logger().warning("errand_in_vain", error=str(error))
            wait = self._wait(due, due.checkout.state)
            await self.database.run(checkouts.schedule, due, wait, error=str(error))
        else:
            self.recording.wake(recorded)

    async def _ask(self, checkout: Checkout) -> Answer:
        provider = self.asking.require(checkout.content.provider)
        if next_errand(checkout) is Errand.CAPTURE:
            key = f"{checkout.intent_id}-{checkout.capture_number}"
            return await provider.complete_top_up(checkout.checkout_id, key)
        return await provider.fetch_checkout(checkout.checkout_id)

    async def _record(self, connection: Connection, due: DueCheckout, answer: Answer) -> Recorded:
        checkout = due.checkout
        captured = next_errand(checkout) is Errand.CAPTURE
        declined = captured and _asks_for_approval(answer)
        if declined:
            told = [each for each in answer.observations if not isinstance(each, CheckoutObserved)]
            answer = replace(answer, observations=tuple(told))
        what = "capture" if captured else "checkout"
        source = source_of(what, checkout.content.provider, answer, BY_ITSELF)
        recorded = await self.recording.record(connection, source, answer.observations, wait=True)
        if declined:
            await checkouts.reopen(connection, checkout)
        known = await checkouts.lock(connection, checkout.organization_id, checkout.reference_id)
        await checkouts.schedule(
            connection, due, self._wait(due, known.state), error=recorded.problem
        )
        return recorded

    def _wait(self, due: DueCheckout, state: CheckoutState) -> timedelta | None:
        return next_look_in(state, due.age, self.look_interval)


def _asks_for_approval(answer: Answer) -> bool:
    """Tell whether a capture was declined: the customer has to approve anew."""
    return any(
        isinstance(each, CheckoutObserved) and each.state is CheckoutState.APPROVED
        for each in answer.observations
    )
