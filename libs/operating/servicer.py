"""OperationsService on the wire, once for every service."""

from collections.abc import Sequence
from typing import Any

from libs.database import Database
from libs.operating.operations import Operating
from libs.operating.values import ActionFilter, LongTransaction, OperatorAction
from libs.rpc.times import optional_time, to_timestamp
from libs.service import RpcService
from tollgate.operations.v1 import (
    operations_pb2,
    operations_service_pb2,
    operations_service_pb2_grpc,
)


class OperationsServicer(operations_service_pb2_grpc.OperationsServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, operating: Operating) -> None:
        self._operating = operating

    async def ListOperatorActions(  # noqa: N802 - the contract's name
        self,
        request: operations_service_pb2.ListOperatorActionsRequest,
        context: Any,  # noqa: ARG002 - gRPC's signature
    ) -> operations_service_pb2.ListOperatorActionsResponse:
        """List what was done by hand."""
        page = await self._operating.list_actions(
            ActionFilter(
                organization_id=request.organization_id,
                action=request.action,
                actor=request.actor,
                start_time=optional_time(request, "start_time"),
                end_time=optional_time(request, "end_time"),
            ),
            request.page_size,
            request.page_token,
        )
        return operations_service_pb2.ListOperatorActionsResponse(
            actions=[_action_message(action) for action in page.items],
            next_page_token=page.next_page_token,
        )

    async def ListLongTransactions(  # noqa: N802 - the contract's name
        self,
        request: operations_service_pb2.ListLongTransactionsRequest,  # noqa: ARG002 - it is empty
        context: Any,  # noqa: ARG002 - gRPC's signature
    ) -> operations_service_pb2.ListLongTransactionsResponse:
        """List what may keep others waiting."""
        found = await self._operating.list_long_transactions()
        return operations_service_pb2.ListLongTransactionsResponse(
            transactions=[long_transaction_message(each) for each in found]
        )

    async def EndLongTransaction(  # noqa: N802 - the contract's name
        self,
        request: operations_service_pb2.EndLongTransactionRequest,
        context: Any,  # noqa: ARG002 - gRPC's signature
    ) -> operations_service_pb2.EndLongTransactionResponse:
        """End one of these."""
        ended = await self._operating.end_long_transaction(
            request.process_id, request.actor, request.note
        )
        return operations_service_pb2.EndLongTransactionResponse(
            transaction=long_transaction_message(ended)
        )


def operations_service(database: Database) -> RpcService:
    """Return the gRPC service for operators of a service's database."""
    return RpcService(
        "tollgate.operations.v1.OperationsService",
        OperationsServicer(Operating(database)),
        operations_service_pb2_grpc.add_OperationsServiceServicer_to_server,
    )


def long_transaction_message(found: LongTransaction) -> operations_pb2.LongTransaction:
    """Return a transaction on the wire."""
    return operations_pb2.LongTransaction(
        process_id=found.process_id,
        role=found.role,
        application_name=found.application_name,
        state=found.state,
        start_time=to_timestamp(found.start_time),
        waiting_count=found.waiting_count,
    )


def long_transaction_messages(
    found: Sequence[LongTransaction] | None,
) -> list[operations_pb2.LongTransaction]:
    """Return what there is to tell on the wire."""
    return [long_transaction_message(each) for each in found or ()]


def _action_message(action: OperatorAction) -> operations_pb2.OperatorAction:
    act = action.act
    return operations_pb2.OperatorAction(
        action_id=action.action_id,
        create_time=to_timestamp(action.create_time),
        actor=act.actor,
        action=act.action,
        organization_id=act.organization_id,
        reference=act.reference,
        note=act.note,
    )
