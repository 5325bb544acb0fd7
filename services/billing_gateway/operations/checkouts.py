"""CreateTopUp and CreateSubscription: the wish is written first, then the provider is asked.

Who repeats a reference asks with the same key, so that whatever broke in between, the provider
makes one thing.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason, invalid_field
from libs.logs import get_logger
from services.billing_gateway.domain.checkouts import differing_fields
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.observations import Claim, SubscriptionClaimed
from services.billing_gateway.domain.values import (
    ChangeCause,
    Checkout,
    CheckoutContent,
    CheckoutKind,
    CheckoutState,
)
from services.billing_gateway.operations.asking import Asking, to_domain_error
from services.billing_gateway.operations.recording_port import Recorded, Recording, Source
from services.billing_gateway.ports import (
    AmountRefusedError,
    OpenCheckout,
    PaymentProvider,
    ProviderError,
    ProviderRefusedError,
    SubscriptionOrder,
    TopUpOrder,
    WalletOpener,
)
from services.billing_gateway.storage import checkouts, objects, organizations


@dataclass(frozen=True, slots=True)
class Created:
    """A checkout that the provider has made, now or when the reference was first used."""

    checkout: Checkout
    replayed: bool

    @property
    def open_url(self) -> str:
        """Return where its customer goes, as long as there is something to do."""
        return self.checkout.url if self.checkout.state is CheckoutState.OPEN else ""


@dataclass(frozen=True)
class Checkouts:
    """What callers send their customers to."""

    database: Database
    asking: Asking
    recording: Recording
    wallet: WalletOpener
    claim_keys: ClaimKeys
    look_interval: timedelta

    async def create(
        self, organization_id: str, reference_id: str, content: CheckoutContent
    ) -> Created:
        """Have a checkout made, once for each reference."""
        provider = self.asking.require(content.provider)
        if content.kind is CheckoutKind.TOP_UP:
            await self._require_wallet_currency(organization_id, content.currency_code)
        wish = Checkout(organization_id, reference_id, uuid.uuid4().hex, content)
        created = await self.database.transact(self._write_wish, wish)
        if created.checkout.state is not CheckoutState.WANTED:
            return created
        made = await self._make(provider, created.checkout)
        if content.kind is CheckoutKind.TOP_UP:
            await self._open_wallet(organization_id, content.currency_code)
        checkout, recorded = await self.database.transact(self._write_answer, created, made)
        self.recording.wake(recorded)
        return replace(created, checkout=checkout)

    async def _require_wallet_currency(self, organization_id: str, currency_code: str) -> None:
        """Refuse what the wallet could not take; if it cannot be asked, the money would wait."""
        try:
            wallet_currency_code = await self.wallet.find_currency(organization_id)
        except DomainError as error:
            get_logger().warning(
                "wallet_currency_unknown", organization_id=organization_id, reason=error.reason
            )
            return
        if wallet_currency_code not in (None, currency_code):
            raise DomainError(
                ErrorReason.CURRENCY_MISMATCH,
                f"the wallet stands in {wallet_currency_code}",
                walletCurrencyCode=wallet_currency_code or "",
                requestedCurrencyCode=currency_code,
            )

    async def _open_wallet(self, organization_id: str, currency_code: str) -> None:
        """Let the money have a wallet to go to, now that the provider has taken its currency."""
        try:
            await self.wallet.create_wallet(organization_id, currency_code)
        except DomainError as error:
            get_logger().warning(
                "wallet_not_opened", organization_id=organization_id, reason=error.reason
            )

    async def _write_wish(self, connection: Connection, wish: Checkout) -> Created:
        await organizations.lock(connection, wish.organization_id)
        if await checkouts.insert(connection, wish):
            return Created(wish, replayed=False)
        known = await checkouts.lock(connection, wish.organization_id, wish.reference_id)
        if known.state is CheckoutState.REFUSED:
            # Nothing was made under this reference: it is as good as new, but for the key.
            await checkouts.wish_again(connection, wish)
            return Created(wish, replayed=False)
        differing = differing_fields(known.content, wish.content)
        if differing:
            raise DomainError(
                ErrorReason.REFERENCE_CONFLICT,
                "the reference was used for another checkout",
                referenceId=wish.reference_id,
                differingFields=",".join(differing),
            )
        return Created(known, replayed=True)

    async def _make(self, provider: PaymentProvider, checkout: Checkout) -> OpenCheckout:
        try:
            return await self._order(provider, checkout)
        except ProviderRefusedError as refused:
            await self.database.run(checkouts.refuse, checkout.intent_id, str(refused))
            if isinstance(refused, AmountRefusedError):
                raise invalid_field("amount_micros", str(refused)) from refused
            raise to_domain_error(refused) from refused
        except ProviderError as error:
            raise to_domain_error(error) from error

    async def _order(self, provider: PaymentProvider, checkout: Checkout) -> OpenCheckout:
        content, organization_id = checkout.content, checkout.organization_id
        proof = self.claim_keys.prove(provider.name, organization_id, checkout.intent_id)
        claim = Claim(organization_id, checkout.intent_id, proof)
        if content.amount_micros is None:
            return await provider.create_subscription(
                SubscriptionOrder(
                    checkout.intent_id,
                    claim,
                    content.plan_id,
                    content.return_url,
                    content.cancel_url,
                )
            )
        return await provider.create_top_up(
            TopUpOrder(
                checkout.intent_id,
                claim,
                content.amount_micros,
                content.currency_code,
                content.return_url,
                content.cancel_url,
            )
        )

    async def _write_answer(
        self, connection: Connection, created: Created, made: OpenCheckout
    ) -> tuple[Checkout, Recorded]:
        """Write down what was made; a subscription that is there already is the organization's."""
        checkout = created.checkout
        provider = checkout.content.provider
        # In the order in which whoever is told of them takes their locks.
        await objects.lock(connection, provider, [made.checkout_id, made.subscription_id])
        await organizations.lock(connection, checkout.organization_id)
        await checkouts.save_answer(connection, checkout.intent_id, made, self.look_interval)
        recorded = Recorded()
        if made.subscription_id:
            source = Source(
                provider,
                f"create:{checkout.intent_id}",
                ChangeCause.CREATE,
                await organizations.read_clock(connection),
            )
            claimed = SubscriptionClaimed(made.subscription_id, "", made.checkout_id, None)
            recorded = await self.recording.record(connection, source, [claimed], wait=True)
        known = await checkouts.lock(connection, checkout.organization_id, checkout.reference_id)
        return known, recorded
