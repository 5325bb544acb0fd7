"""Takes deliveries in: verify, store, answer. Nothing else happens in the request."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from libs.database import Database
from libs.recent import RecentGrowth
from libs.tracing import cause
from services.billing_gateway.domain.values import EventState, Provider
from services.billing_gateway.operations.inserting import Inserting
from services.billing_gateway.ports import (
    CannotVerifyError,
    DeliveryRefusedError,
    Headers,
    PaymentProvider,
)
from services.billing_gateway.storage.inbox import Delivery


class Intake:
    """The way from HTTP into the inbox."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[Provider, PaymentProvider],
        inserting: Inserting,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._providers = providers
        self._inserting = inserting
        self._clock = clock
        self._refused_counts = dict.fromkeys(Provider, 0)
        self._refused = {provider: RecentGrowth() for provider in Provider}

    async def receive(self, provider: Provider, headers: Headers, body: bytes) -> None:
        """Keep a delivery.

        Raises DeliveryRefusedError, CannotVerifyError, DatabaseUnavailableError or OverloadedError.
        """
        try:
            await self._receive(provider, headers, body)
        except DeliveryRefusedError:
            self._refused_counts[provider] += 1
            raise

    def recently_refused(self, provider: Provider) -> int:
        """Return how many deliveries were not rightly signed, of those of the last ten minutes."""
        return self._refused[provider].look(self._refused_counts[provider])

    async def _receive(self, provider: Provider, headers: Headers, body: bytes) -> None:
        sender = self._providers.get(provider)
        if sender is None:
            raise CannotVerifyError("no settings tell how this provider signs")
        transmission = await sender.verify(headers, body, self._clock())
        delivery = self._identify(sender, body)
        await self._inserting.insert(
            replace(delivery, transmission=transmission, traceparent=cause())
        )

    def _identify(self, provider: PaymentProvider, body: bytes) -> Delivery:
        identity = provider.identify(body)
        if identity is None:
            digest = hashlib.sha256(body).hexdigest()
            problem = "the body is not an event of this provider"
            return Delivery(provider.name, f"sha256:{digest}", "", body, EventState.DEAD, problem)
        return Delivery(
            provider.name,
            identity.event_id,
            identity.event_type,
            body,
            EventState.RECEIVED,
            last_error="",
        )

    async def is_database_there(self) -> bool:
        """Tell whether a delivery could be kept now."""
        return await self._database.is_there()
