"""How Stripe is asked in tests, and for what."""

from datetime import timedelta

from prometheus_client import CollectorRegistry

from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.ports import SubscriptionOrder, TopUpOrder
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.stripe.api import StripeApi
from services.billing_gateway.stripe.provider import StripeProvider
from services.billing_gateway.stripe.translation import TranslationRules

API_KEY = "sk_test_of_this_test"
CLAIM = Claim("org-1", intent_id="1" * 32, proof="2" * 32)
TOP_UP = TopUpOrder(
    intent_id=CLAIM.intent_id,
    claim=CLAIM,
    amount_micros=25_000_000,
    currency_code="USD",
    return_url="https://example.com/done",
    cancel_url="https://example.com/back",
)
SUBSCRIPTION = SubscriptionOrder(
    intent_id=CLAIM.intent_id,
    claim=CLAIM,
    plan_id="price_pro",
    return_url="https://example.com/done",
    cancel_url="https://example.com/back",
)


def provider_of(
    api_base: str,
    registry: CollectorRegistry | None = None,
    *,
    api_key: str = API_KEY,
    timeout_seconds: float = 10.0,
) -> StripeProvider:
    calls = ProviderCalls(registry or CollectorRegistry())
    return StripeProvider(
        webhook_secrets=("whsec_1",),
        signature_tolerance=timedelta(minutes=5),
        rules=TranslationRules(livemode=False, blocking_fraud_types=frozenset()),
        api=StripeApi(api_key, api_base, timeout_seconds, calls) if api_key else None,
    )
