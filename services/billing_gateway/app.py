"""Puts the gateway together."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import grpc

from libs.announcing.announcer import Announcer
from libs.database import Database
from libs.gauging import Gauging
from libs.http import HttpEndpoint
from libs.levels import SubscriptionLevel
from libs.metrics import ServiceMetrics
from libs.operating.servicer import operations_service
from libs.rpc.channel import open_renewed_channel
from libs.rpc.credentials import watch_certificates
from libs.service import Service
from services.billing_gateway.clients import SubscriptionObserverClient, WalletClient
from services.billing_gateway.config import BillingGatewaySettings, reveal
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.values import PaymentLevel, Provider
from services.billing_gateway.operations.asking import Asking
from services.billing_gateway.operations.assigning import Assigning
from services.billing_gateway.operations.certificates import RememberedCertificates
from services.billing_gateway.operations.checkouts import Checkouts
from services.billing_gateway.operations.commands import Commands
from services.billing_gateway.operations.comparing import Comparing
from services.billing_gateway.operations.errands import Errands
from services.billing_gateway.operations.gauging import GAUGES
from services.billing_gateway.operations.granting import Granting
from services.billing_gateway.operations.inserting import Inserting
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.operations.levels import Levels, PaymentLevels, SubscriptionLevels
from services.billing_gateway.operations.linking import Linking
from services.billing_gateway.operations.looks import Looks
from services.billing_gateway.operations.overview import OverviewOperations
from services.billing_gateway.operations.queries.events import EventQueries
from services.billing_gateway.operations.queries.payments import PaymentQueries
from services.billing_gateway.operations.queries.subscriptions import SubscriptionQueries
from services.billing_gateway.operations.recording import OwnershipRules, Recorder
from services.billing_gateway.operations.recording.checkouts import CheckoutProgress
from services.billing_gateway.operations.recording.parts import Wakes
from services.billing_gateway.operations.recording.payments import PaymentRecording
from services.billing_gateway.operations.recording.subscriptions import (
    SubscriptionRecording,
    SubscriptionTiming,
)
from services.billing_gateway.operations.replaying import Replaying
from services.billing_gateway.operations.retention import Retention
from services.billing_gateway.operations.settling import Settling
from services.billing_gateway.operations.watching import Watching
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.oauth import Credentials
from services.billing_gateway.paypal.provider import PayPalProvider
from services.billing_gateway.paypal.signature.certificates import (
    CertificateMemory,
    PayPalTrust,
)
from services.billing_gateway.paypal.signature.source import system_trust
from services.billing_gateway.ports import PaymentProvider
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.servicer import billing_gateway_service
from services.billing_gateway.servicer.base import Parts
from services.billing_gateway.stripe.api import StripeApi
from services.billing_gateway.stripe.provider import StripeProvider
from services.billing_gateway.stripe.translation import TranslationRules
from services.billing_gateway.webhooks import Webhooks
from services.billing_gateway.workers import GatewayLoops, Steps

MIGRATIONS = Path(__file__).parent / "migrations"

# A plan made while a table was small would be kept while it grows: none reads it from end to end.
PLANNING = {"enable_seqscan": "off"}


async def build(
    settings: BillingGatewaySettings, paypal_trust: PayPalTrust | None = None
) -> Service:
    """Return the service, not started.

    No setting says by what PayPal is believed: only whoever composes the service can.
    """
    metrics = ServiceMetrics()
    make_providers = partial(_build_providers, settings, metrics, paypal_trust)
    return await assemble(settings, make_providers, metrics)


async def assemble(
    settings: BillingGatewaySettings,
    make_providers: Callable[[CertificateMemory], Mapping[Provider, PaymentProvider]],
    metrics: ServiceMetrics,
) -> Service:
    """Return the service with these providers, not started."""
    database = await Database.connect(
        settings.database_url, settings.database_pool_size, "billing_gateway", PLANNING
    )
    tls = watch_certificates(settings.tls_directory, "billing_gateway")
    addresses = settings.subscription_observers.items()
    observers = {name: open_renewed_channel(address, tls) for name, address in addresses}
    wallet_channel = open_renewed_channel(settings.wallet_address, tls)
    wallet = WalletClient(wallet_channel)
    levels = _build_levels(settings, database, metrics, wallet, observers)
    loops = GatewayLoops()
    certificates = RememberedCertificates(database, loops.certificates.wake)
    providers = make_providers(certificates)
    wakes = Wakes(loops.settling.wake, loops.looks.wake, loops.errands.wake)
    rules = _build_rules(settings, providers)
    payments = PaymentRecording(levels, settings.plans, rules.asking.askable)
    recorder = _build_recorder(settings, levels, rules, payments, wakes)
    looks = Looks(database, rules.asking, recorder, rules.timing.look_interval)
    granting = Granting(database, levels)
    inserting = Inserting(database, loops.settling.wake)
    intake = Intake(database, providers, inserting, lambda: datetime.now(UTC))
    overview = OverviewOperations(database, levels, intake, providers)
    parts = Parts(
        linking=Linking(database, levels, wallet, wakes),
        granting=granting,
        checkouts=Checkouts(
            database, rules.asking, recorder, wallet, rules.claim_keys, rules.checkout_look_interval
        ),
        commands=Commands(database, rules.asking, looks),
        comparing=Comparing(database, rules.asking, rules.timing),
        assigning=Assigning(database, levels, payments, wakes),
        replaying=Replaying(database, loops.settling.wake),
        subscriptions=SubscriptionQueries(database, levels),
        payments=PaymentQueries(database, levels),
        events=EventQueries(database),
        overview=overview,
    )
    steps = Steps(
        settling=Settling(database, providers, recorder, loops.settling.wake_in),
        granting=granting,
        looks=looks,
        errands=Errands(database, rules.asking, recorder, rules.checkout_look_interval),
        retention=Retention(database, settings.body_retention_seconds),
        watching=Watching(database, settings.parked_alarm_seconds),
        certificates=certificates,
        gauging=Gauging(overview.read, GAUGES, metrics.registry),
    )
    return Service(
        settings,
        database,
        metrics,
        tls,
        rpc_services=[billing_gateway_service(parts), operations_service(database)],
        workers=[
            levels.subscription_announcer,
            levels.payment_announcer,
            *loops.build(steps, settings),
        ],
        endpoints=[HttpEndpoint(Webhooks(intake, metrics).application(), settings.http_address)],
        closables=[wallet_channel, *observers.values(), *providers.values()],
    )


def _build_providers(
    settings: BillingGatewaySettings,
    metrics: ServiceMetrics,
    paypal_trust: PayPalTrust | None,
    certificates: CertificateMemory,
) -> dict[Provider, PaymentProvider]:
    providers: list[PaymentProvider] = []
    calls = ProviderCalls(metrics.registry)
    if settings.stripe_webhook_secrets:
        providers.append(_build_stripe(settings, calls))
    if settings.paypal_webhook_ids:
        providers.append(_build_paypal(settings, calls, paypal_trust, certificates))
    return {provider.name: provider for provider in providers}


def _build_paypal(
    settings: BillingGatewaySettings,
    calls: ProviderCalls,
    trust: PayPalTrust | None,
    certificates: CertificateMemory,
) -> PayPalProvider:
    environment = Environment(settings.paypal_environment)
    return PayPalProvider(
        environment=environment,
        webhook_ids=settings.paypal_webhook_ids,
        credentials=Credentials(
            settings.paypal_client_id, settings.paypal_client_secret.get_secret_value()
        ),
        api_base=settings.paypal_api_base,
        timeout_seconds=settings.provider_timeout_seconds,
        trust=trust or system_trust(environment, settings.paypal_intermediates_file),
        certificates=certificates,
        calls=calls,
    )


def _build_stripe(settings: BillingGatewaySettings, calls: ProviderCalls) -> StripeProvider:
    key = settings.stripe_api_key.get_secret_value()
    return StripeProvider(
        webhook_secrets=reveal(settings.stripe_webhook_secrets),
        signature_tolerance=timedelta(seconds=settings.stripe_signature_tolerance_seconds),
        rules=TranslationRules(
            settings.stripe_livemode, frozenset(settings.stripe_blocking_fraud_types)
        ),
        api=(
            StripeApi(key, settings.stripe_api_base, settings.provider_timeout_seconds, calls)
            if key
            else None
        ),
    )


class _Rules(NamedTuple):
    """What the settings say, as several operations need it."""

    asking: Asking
    claim_keys: ClaimKeys
    timing: SubscriptionTiming
    checkout_look_interval: timedelta


def _build_rules(
    settings: BillingGatewaySettings, providers: Mapping[Provider, PaymentProvider]
) -> _Rules:
    return _Rules(
        asking=Asking(providers),
        claim_keys=ClaimKeys(tuple(key.encode() for key in reveal(settings.claim_keys))),
        timing=SubscriptionTiming(
            slack=timedelta(seconds=settings.period_slack_seconds),
            grace=timedelta(seconds=settings.past_due_grace_seconds),
            look_interval=timedelta(seconds=settings.look_interval_seconds),
        ),
        checkout_look_interval=timedelta(seconds=settings.checkout_look_seconds),
    )


def _build_recorder(
    settings: BillingGatewaySettings,
    levels: Levels,
    rules: _Rules,
    payments: PaymentRecording,
    wakes: Wakes,
) -> Recorder:
    return Recorder(
        levels=levels,
        ownership=OwnershipRules(settings.trust_claimed_organizations, rules.claim_keys),
        subscriptions=SubscriptionRecording(rules.timing, rules.asking.askable),
        payments=payments,
        checkouts=CheckoutProgress(),
        wakes=wakes,
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
