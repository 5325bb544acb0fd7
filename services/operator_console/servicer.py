"""OperatorService on the wire."""

import re
from typing import Any, Final, TypeVar

from libs.service import RpcService
from services.operator_console.operations.diagnosis import DiagnosisOperations
from services.operator_console.operations.overview import OverviewOperations
from tollgate.operator_console.v1 import (
    diagnosis_pb2,
    operator_service_pb2,
    operator_service_pb2_grpc,
)

# What a terminal obeys, and what turns a line around. grpcurl prints some of it as it is.
UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
LineT = TypeVar("LineT", diagnosis_pb2.Finding, diagnosis_pb2.TimelineEntry)
SERVICE_NAME = "tollgate.operator_console.v1.OperatorService"


class OperatorServicer(operator_service_pb2_grpc.OperatorServiceServicer):
    """All rpcs of the console: translates, and decides nothing."""

    def __init__(self, diagnosis: DiagnosisOperations, overview: OverviewOperations) -> None:
        self._diagnosis = diagnosis
        self._overview = overview

    async def DiagnoseOrganization(
        self, request: operator_service_pb2.DiagnoseOrganizationRequest, context: Any
    ) -> operator_service_pb2.DiagnoseOrganizationResponse:
        """Tell what is wrong with one organization."""
        diagnosis = await self._diagnosis.diagnose(request.organization_id)
        return operator_service_pb2.DiagnoseOrganizationResponse(
            organization_id=request.organization_id,
            can_send=diagnosis.can_send,
            findings=map(printable, diagnosis.findings),
            seen=diagnosis.seen,
            timeline=map(printable, diagnosis.timeline),
        )

    async def GetOverview(
        self, request: operator_service_pb2.GetOverviewRequest, context: Any
    ) -> operator_service_pb2.GetOverviewResponse:
        """Tell how everything stands."""
        findings, overview = await self._overview.look()
        return operator_service_pb2.GetOverviewResponse(
            findings=map(printable, findings), overview=overview
        )


def printable(line: LineT) -> LineT:
    """Let notes and errors, which anybody may have written, do no more than be read."""
    for field, value in line.ListFields():
        if isinstance(value, str):
            setattr(line, field.name, UNPRINTABLE.sub("?", value))
    return line


def operator_service(diagnosis: DiagnosisOperations, overview: OverviewOperations) -> RpcService:
    """Return the gRPC service of the console."""
    return RpcService(
        SERVICE_NAME,
        OperatorServicer(diagnosis, overview),
        operator_service_pb2_grpc.add_OperatorServiceServicer_to_server,
    )
