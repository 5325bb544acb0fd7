"""Puts the operator console together."""

from datetime import UTC, datetime

from libs.metrics import ServiceMetrics
from libs.rpc.channel import open_renewed_channel
from libs.rpc.credentials import watch_certificates
from libs.service import Service
from services.operator_console.clients.asking import Asking
from services.operator_console.clients.organizations import OrganizationsClient
from services.operator_console.clients.stubs import Stubs
from services.operator_console.clients.system import SystemClient
from services.operator_console.config import OperatorConsoleSettings
from services.operator_console.domain.commands import Commands
from services.operator_console.operations.diagnosis import DiagnosisOperations
from services.operator_console.operations.overview import OverviewOperations
from services.operator_console.servicer import operator_service


async def build(settings: OperatorConsoleSettings) -> Service:
    """Return the service, not started."""
    metrics = ServiceMetrics()
    tls = watch_certificates(settings.tls_directory, settings.certificate_role())
    channels = {
        name: open_renewed_channel(address, tls) for name, address in settings.services.items()
    }
    stubs, asking = Stubs(channels), Asking(channels, settings.answer_seconds_max)
    commands = Commands(
        {**settings.services, **(settings.shown_services or {})}, settings.grpcurl_options
    )
    return Service(
        settings,
        None,
        metrics,
        tls,
        rpc_services=[
            operator_service(
                DiagnosisOperations(OrganizationsClient(stubs, asking), commands, _now),
                OverviewOperations(SystemClient(stubs, asking), commands, _now),
            )
        ],
        closables=list(channels.values()),
    )


def _now() -> datetime:
    return datetime.now(UTC)
