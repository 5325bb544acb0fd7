"""Rpcs of payments."""

from typing import Any

from services.billing_gateway.domain.values import (
    CheckoutContent,
    CheckoutKind,
    PaymentFilter,
)
from services.billing_gateway.operations.assigning import Assignment
from services.billing_gateway.servicer.base import Rpcs
from services.billing_gateway.servicer.messages import (
    optional_payment_state,
    optional_provider,
    payment_message,
    to_provider,
)
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
)


class PaymentRpcs(Rpcs):
    """Translates; decides nothing."""

    async def CreateTopUp(
        self, request: billing_gateway_service_payments_pb2.CreateTopUpRequest, context: Any
    ) -> billing_gateway_service_payments_pb2.CreateTopUpResponse:
        """Have a checkout made for a one-off payment."""
        content = CheckoutContent(
            kind=CheckoutKind.TOP_UP,
            provider=to_provider(request.provider),
            amount_micros=request.amount_micros,
            currency_code=request.currency_code,
            plan_id="",
            return_url=request.return_url,
            cancel_url=request.cancel_url,
        )
        created = await self._parts.checkouts.create(
            request.organization_id, request.reference_id, content
        )
        seen = await self._parts.payments.get_payment(
            content.provider, f"{content.provider.lower()}:{created.checkout.checkout_id}"
        )
        return billing_gateway_service_payments_pb2.CreateTopUpResponse(
            checkout_url=created.open_url,
            payment=payment_message(seen),
            replayed=created.replayed,
        )

    async def GetPayment(
        self, request: billing_gateway_service_pb2.GetPaymentRequest, context: Any
    ) -> billing_gateway_service_pb2.GetPaymentResponse:
        """Answer what became of a payment."""
        seen = await self._parts.payments.get_payment(
            to_provider(request.provider), request.payment_id
        )
        return billing_gateway_service_pb2.GetPaymentResponse(payment=payment_message(seen))

    async def ListPayments(
        self, request: billing_gateway_service_payments_pb2.ListPaymentsRequest, context: Any
    ) -> billing_gateway_service_payments_pb2.ListPaymentsResponse:
        """List payments."""
        wanted = PaymentFilter(
            organization_id=request.organization_id,
            provider=optional_provider(request.provider),
            object_id=request.provider_object_id,
            state=optional_payment_state(request.state),
        )
        page = await self._parts.payments.list_payments(
            wanted, request.page_size, request.page_token
        )
        return billing_gateway_service_payments_pb2.ListPaymentsResponse(
            payments=[payment_message(each) for each in page.items],
            next_page_token=page.next_page_token,
        )

    async def AssignPayment(
        self, request: billing_gateway_service_payments_pb2.AssignPaymentRequest, context: Any
    ) -> billing_gateway_service_payments_pb2.AssignPaymentResponse:
        """Say whose a payment is."""
        assignment = Assignment(
            provider=to_provider(request.provider),
            payment_id=request.payment_id,
            organization_id=request.organization_id,
            actor=request.actor,
            note=request.note,
        )
        await self._parts.assigning.assign(assignment)
        seen = await self._parts.payments.get_payment(assignment.provider, assignment.payment_id)
        return billing_gateway_service_payments_pb2.AssignPaymentResponse(
            payment=payment_message(seen)
        )
