"""Puts the gateway together."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc

from libs.announcing.announcer import Announcer
from libs.database import Database
from libs.http import HttpEndpoint
from libs.levels import SubscriptionLevel
from libs.metrics import ServiceMetrics
from libs.rpc.client import open_channel
from libs.service import Service
from services.billing_gateway.clients import SubscriptionObserverClient, WalletClient
from services.billing_gateway.config import BillingGatewaySettings, reveal
from services.billing_gateway.domain.values import PaymentLevel, Provider
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.operations.levels import Levels, PaymentLevels, SubscriptionLevels
from services.billing_gateway.operations.linking import Linking
from services.billing_gateway.operations.queries import Queries
from services.billing_gateway.operations.settling import Settling, SettlingRules
from services.billing_gateway.ports import PaymentProvider
from services.billing_gateway.servicer import billing_gateway_service
from services.billing_gateway.stripe.api import StripeApi
from services.billing_gateway.stripe.provider import StripeProvider
from services.billing_gateway.stripe.translation import TranslationRules
from services.billing_gateway.webhooks import Webhooks
from services.billing_gateway.workers import SettlingWorkers

MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: BillingGatewaySettings) -> Service:
    """Return the service, not started."""
    return await assemble(settings, _build_providers(settings))


async def assemble(
    settings: BillingGatewaySettings, providers: Mapping[Provider, PaymentProvider]
) -> Service:
    """Return the service with these providers, not started."""
    database = await Database.connect(
        settings.database_url, settings.database_pool_size, "billing_gateway"
    )
    metrics = ServiceMetrics()
    wallet_channel = open_channel(settings.wallet_address)
    observers = {
        name: open_channel(address) for name, address in settings.subscription_observers.items()
    }
    wallet = WalletClient(wallet_channel)
    levels = _build_levels(settings, database, metrics, wallet, observers)
    rules = SettlingRules(settings.trust_claimed_organizations, settings.plans)
    settling_workers = SettlingWorkers()
    intake = Intake(database, providers, lambda: datetime.now(UTC), settling_workers.wake)
    settling = Settling(database, providers, levels, rules)
    linking = Linking(database, levels, wallet, settling_workers.wake)
    return Service(
        settings,
        database,
        metrics,
        rpc_services=[billing_gateway_service(linking, Queries(database, levels))],
        workers=[
            levels.subscription_announcer,
            levels.payment_announcer,
            *settling_workers.build(settling, settings),
        ],
        endpoints=[HttpEndpoint(Webhooks(intake, metrics).application(), settings.http_address)],
        closables=[wallet_channel, *observers.values(), *providers.values()],
    )


def _build_providers(settings: BillingGatewaySettings) -> dict[Provider, PaymentProvider]:
    if not settings.stripe_webhook_secrets:
        return {}
    stripe = _build_stripe(settings)
    return {stripe.name: stripe}


def _build_stripe(settings: BillingGatewaySettings) -> StripeProvider:
    key = settings.stripe_api_key.get_secret_value()
    return StripeProvider(
        webhook_secrets=reveal(settings.stripe_webhook_secrets),
        signature_tolerance=timedelta(seconds=settings.stripe_signature_tolerance_seconds),
        rules=TranslationRules(
            settings.stripe_livemode, frozenset(settings.stripe_blocking_fraud_types)
        ),
        api=(
            StripeApi(key, settings.stripe_api_base, settings.provider_timeout_seconds)
            if key
            else None
        ),
    )


def _build_levels(
    settings: BillingGatewaySettings,
    database: Database,
    metrics: ServiceMetrics,
    wallet: WalletClient,
    observers: dict[str, grpc.aio.Channel],
) -> Levels:
    return Levels(
        subscription_announcer=Announcer[SubscriptionLevel](
            level="subscription",
            database=database,
            source=SubscriptionLevels(),
            observers=[
                SubscriptionObserverClient(name, channel) for name, channel in observers.items()
            ],
            metrics=metrics,
            timing=settings.announcer_timing,
        ),
        payment_announcer=Announcer[PaymentLevel](
            level="payment",
            database=database,
            source=PaymentLevels(),
            observers=[wallet],
            metrics=metrics,
            timing=settings.announcer_timing,
        ),
        slack=timedelta(seconds=settings.period_slack_seconds),
    )
