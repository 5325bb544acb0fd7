"""PayPal behind the gateway's port."""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime

from services.billing_gateway.domain.observations import CheckoutObserved, Translation
from services.billing_gateway.domain.values import CheckoutState, Provider
from services.billing_gateway.paypal.answers import (
    FOLDERS,
    read_subscription_checkout,
    to_answer,
)
from services.billing_gateway.paypal.api import PayPalApi, PayPalRefusedError
from services.billing_gateway.paypal.body import read_identity
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.http_client import HttpAnswer, HttpClient
from services.billing_gateway.paypal.oauth import Credentials, OAuth
from services.billing_gateway.paypal.orders import (
    approval_of,
    reason_body,
    subscription_body,
    top_up_body,
)
from services.billing_gateway.paypal.signature import Signatures
from services.billing_gateway.paypal.signature.certificates import (
    CertificateMemory,
    PayPalTrust,
)
from services.billing_gateway.paypal.translation import translate_event
from services.billing_gateway.paypal.translation.orders import read_order
from services.billing_gateway.paypal.translation.subscriptions import read_subscription
from services.billing_gateway.ports import (
    Answer,
    EventIdentity,
    Headers,
    OpenCheckout,
    ProviderRefusedError,
    SubscriptionOrder,
    TopUpOrder,
    Transmission,
    UnknownToProviderError,
)
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.reading import UnreadableError, parse_object

# What goes into a path; nothing that could lead out of its folder.
OBJECT_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
SUBSCRIPTION_ID = re.compile(r"I-[A-Z0-9]+")

ALREADY_CAPTURED = "ORDER_ALREADY_CAPTURED"
TO_BE_APPROVED_ANEW = frozenset(
    {"INSTRUMENT_DECLINED", "ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"}
)


class PayPalProvider:
    """What is configured for PayPal."""

    name = Provider.PAYPAL
    can_be_asked = True
    cancels_at_period_end = False

    def __init__(
        self,
        *,
        environment: Environment,
        webhook_ids: Sequence[str],
        credentials: Credentials,
        api_base: str | None,
        timeout_seconds: float,
        trust: PayPalTrust,
        certificates: CertificateMemory,
        calls: ProviderCalls,
    ) -> None:
        """`api_base`: None for PayPal's own."""
        self._environment = environment
        self._signatures = Signatures(environment, webhook_ids, trust, certificates)
        base = api_base or f"https://{ADDRESSES[environment].api_host}"
        self._http_client = HttpClient(base, timeout_seconds)
        oauth = OAuth(self._http_client, credentials)
        self._api = PayPalApi(self._http_client, oauth, timeout_seconds, calls)

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> Transmission:
        """Return if PayPal signed this for a webhook of ours."""
        return await self._signatures.verify(headers, body, now)

    def identify(self, body: bytes) -> EventIdentity | None:
        """Return the event's id and type; None if the body cannot be read."""
        try:
            return read_identity(parse_object(body))
        except UnreadableError:
            return None

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Return what the event says."""
        return translate_event(body, receive_time, self._environment)

    async def create_top_up(self, order: TopUpOrder) -> OpenCheckout:
        """Make an order for its customer to approve."""
        answer = await self._api.post(
            "create_order", "/v2/checkout/orders", top_up_body(order), order.intent_id
        )
        order_id, url = approval_of(answer.body)
        return OpenCheckout(order_id, url)

    async def complete_top_up(self, checkout_id: str, key: str) -> Answer:
        """Take the money of an approved order, once."""
        path = _path("/v2/checkout/orders", checkout_id)
        try:
            answer = await self._api.post("capture_order", f"{path}/capture", {}, key)
        except PayPalRefusedError as refused:
            if ALREADY_CAPTURED in refused.issues:
                return await self.fetch_checkout(checkout_id)
            if TO_BE_APPROVED_ANEW.isdisjoint(refused.issues):
                raise
            anew = CheckoutObserved(checkout_id, CheckoutState.APPROVED, None)
            return Answer((anew,), refused.time)
        return to_answer(answer, read_order)

    async def create_subscription(self, order: SubscriptionOrder) -> OpenCheckout:
        """Make a subscription for its customer to approve; it is its own checkout."""
        answer = await self._api.post(
            "create_subscription",
            "/v1/billing/subscriptions",
            subscription_body(order),
            order.intent_id,
        )
        subscription_id, url = approval_of(answer.body)
        return OpenCheckout(subscription_id, url, subscription_id)

    async def fetch_checkout(self, checkout_id: str) -> Answer:
        """Return how an order or a subscription stands, and what was paid by it."""
        if SUBSCRIPTION_ID.fullmatch(checkout_id):
            answer = await self._get_subscription(checkout_id)
            return to_answer(answer, read_subscription_checkout)
        path = _path("/v2/checkout/orders", checkout_id)
        return to_answer(await self._api.get("get_order", path), read_order)

    async def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, note: str
    ) -> None:
        """End a subscription now; later it cannot be asked for."""
        if at_period_end:
            raise ProviderRefusedError("PayPal ends a subscription at once")
        await self._change(subscription_id, "cancel", note)

    async def reactivate_subscription(self, subscription_id: str, *, note: str) -> None:
        """Let a suspended subscription run again."""
        await self._change(subscription_id, "activate", note)

    async def fetch_subscription(self, subscription_id: str) -> Answer:
        """Return how a subscription stands now."""
        return to_answer(await self._get_subscription(subscription_id), read_subscription)

    async def resolve(self, object_id: str) -> Answer:
        """Return of which payment a refund or a reversal is; of a payment nothing is told."""
        for folder in FOLDERS:
            path = _path(folder.path, object_id)
            try:
                answer = await self._api.get(folder.call, path)
            except UnknownToProviderError:
                continue
            return to_answer(answer, folder.read)
        raise UnknownToProviderError("PayPal knows no such payment and no such refund")

    async def close(self) -> None:
        """Close every connection."""
        await self._http_client.close()
        await self._signatures.close()

    async def _get_subscription(self, subscription_id: str) -> HttpAnswer:
        path = _path("/v1/billing/subscriptions", subscription_id)
        # Without being asked for it, PayPal does not tell of the last failure.
        return await self._api.get("get_subscription", f"{path}?fields=last_failed_payment")

    async def _change(self, subscription_id: str, verb: str, note: str) -> None:
        path = _path("/v1/billing/subscriptions", subscription_id)
        request_id = str(uuid.uuid4())
        await self._api.post(
            f"{verb}_subscription", f"{path}/{verb}", reason_body(note), request_id
        )


def _path(folder: str, object_id: str) -> str:
    if not OBJECT_ID.fullmatch(object_id):
        raise UnknownToProviderError("no id of PayPal's has this form")
    return f"{folder}/{object_id}"
