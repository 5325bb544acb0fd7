"""How the checkouts that Tollgate made go on; others' are passed over."""

from collections.abc import Sequence

from libs.database import Connection
from services.billing_gateway.domain.checkouts import Errand, advance, next_errand, restore
from services.billing_gateway.domain.observations import CheckoutObserved
from services.billing_gateway.domain.values import Checkout, Provider
from services.billing_gateway.operations.recording.parts import (
    CheckoutTold,
    Organizations,
    PartRecorded,
    Told,
)
from services.billing_gateway.operations.recording_port import Source
from services.billing_gateway.storage import checkouts


class CheckoutProgress:
    """Advances rows, and lets the errands know what is due."""

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,  # noqa: ARG002 - another part needs them
    ) -> PartRecorded:
        """Record what was told of checkouts of ours."""
        due = [
            await self._record_one(connection, source.provider, each.observation)
            for each in told
            if isinstance(each.observation, CheckoutTold) and isinstance(each.owner, str)
        ]
        return PartRecorded(errands_due=any(due))

    async def _record_one(
        self, connection: Connection, provider: Provider, told: CheckoutTold
    ) -> bool:
        """Record what was told of a checkout; answer whether an errand is due for it now."""
        known = await checkouts.lock_of_provider(connection, provider, told.checkout_id)
        if known is None and isinstance(told, CheckoutObserved):
            known = await self._recognize(connection, provider, told)
        if known is None:
            return False
        after = advance(known, told)
        if after == known:
            return False
        errand = next_errand(after)
        is_due = errand is Errand.CAPTURE
        await checkouts.save_progress(connection, after, is_due=is_due, is_finished=errand is None)
        return is_due

    async def _recognize(
        self, connection: Connection, provider: Provider, told: CheckoutObserved
    ) -> Checkout | None:
        """Return the row of a checkout that has an owner without a row: its claim is proven.

        Either the provider's answer was lost, or a backup has lost the row.
        """
        if told.claim is None:
            return None
        opened = await checkouts.open_of_intent(
            connection, provider, told.claim.organization_id, told.claim.intent_id, told.checkout_id
        )
        if opened is not None:
            return opened
        restored = restore(provider, told, told.claim)
        if restored is not None:
            await checkouts.insert(connection, restored)
        return restored
