"""Puts the service together."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from libs.database import Database
from libs.gauging import Gauging
from libs.metrics import ServiceMetrics
from libs.observing import subscription_observer, wallet_observer
from libs.operating.servicer import operations_service
from libs.rpc.credentials import watch_certificates
from libs.service import Service
from services.telephony.config import TelephonySettings
from services.telephony.operations.aftermath import Ending
from services.telephony.operations.backing_off import BackOff
from services.telephony.operations.claiming import Claiming
from services.telephony.operations.creating import Creation
from services.telephony.operations.driving import Driving
from services.telephony.operations.gauging import GAUGES
from services.telephony.operations.organizations import OrganizationOperations
from services.telephony.operations.overview import OverviewOperations
from services.telephony.operations.provisioning import ProvisionOperations
from services.telephony.operations.reconciling import ReconcileOperations
from services.telephony.operations.recording import Recording
from services.telephony.operations.sending import SendingOperations
from services.telephony.operations.subaccounts import SubaccountOperations
from services.telephony.operations.trouble import TwilioTrouble
from services.telephony.servicer.telephony import telephony_service
from services.telephony.twilio_accounts import TwilioRestAccounts
from services.telephony.workers import Provisioner, Reconciler, build_workers

MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: TelephonySettings) -> Service:
    """Return the service, not started."""
    database = await Database.connect(
        settings.database_url, settings.database_pool_size, "telephony"
    )
    metrics = ServiceMetrics()
    twilio = connect_twilio(settings, metrics.registry)
    policy, timing = settings.suspension_policy, settings.reconcile_timing
    back_off = BackOff(
        settings.twilio_back_off_max_seconds, settings.twilio_refused_back_off_max_seconds
    )
    trouble = TwilioTrouble(
        database,
        twilio,
        settings.twilio_account_sid,
        timing,
        back_off_max_seconds=settings.twilio_back_off_max_seconds,
        registry=metrics.registry,
    )
    reconciler = _build_reconciler(
        settings, database, twilio, trouble=trouble, back_off=back_off, registry=metrics.registry
    )
    creation = Creation(
        database,
        twilio,
        policy,
        timing,
        reconciler.wake,
        trouble=trouble,
        back_off=back_off,
        registry=metrics.registry,
    )
    provisioner = Provisioner(creation, reconciler.turn, settings)
    wait_seconds = timing.lease.total_seconds()
    organizations = OrganizationOperations(database, policy, reconciler.wake)
    subaccounts = SubaccountOperations(
        database, policy, settings.twilio_account_sid, reconciler.wake
    )
    overview = OverviewOperations(database)
    return Service(
        settings,
        database,
        metrics,
        watch_certificates(settings.tls_directory, "telephony"),
        rpc_services=[
            telephony_service(
                organizations,
                subaccounts,
                SendingOperations(database),
                provisioning=ProvisionOperations(database, policy, provisioner.wake, wait_seconds),
                reconciling=ReconcileOperations(database, policy, reconciler.wake, wait_seconds),
                trouble=trouble,
                overview=overview,
            ),
            subscription_observer(organizations),
            wallet_observer(organizations),
            operations_service(database),
        ],
        workers=build_workers(
            organizations,
            reconciler,
            provisioner,
            trouble,
            gauging=Gauging(overview.read, GAUGES, metrics.registry),
            settings=settings,
        ),
        closables=[twilio],
        health_details={"twilio": lambda: trouble.is_over},
    )


def _build_reconciler(
    settings: TelephonySettings,
    database: Database,
    twilio: TwilioRestAccounts,
    *,
    trouble: TwilioTrouble,
    back_off: BackOff,
    registry: CollectorRegistry,
) -> Reconciler:
    policy, timing = settings.suspension_policy, settings.reconcile_timing
    endings = settings.endings
    driving = Driving(
        database,
        twilio,
        policy,
        parent_account_sid=settings.twilio_account_sid,
        back_off=back_off,
        sweep_seconds=settings.twilio_sweep_seconds,
    )
    return Reconciler(
        Claiming(database, policy, timing),
        driving,
        Ending(database, twilio, trouble, back_off, endings) if endings else None,
        recording=Recording(database, policy, timing, registry),
        trouble=trouble,
        settings=settings,
    )


def connect_twilio(settings: TelephonySettings, registry: CollectorRegistry) -> TwilioRestAccounts:
    """Return the way to Twilio."""
    return TwilioRestAccounts(
        parent_account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        api_base=settings.twilio_api_base,
        timeout_seconds=settings.twilio_timeout_seconds,
        registry=registry,
    )
