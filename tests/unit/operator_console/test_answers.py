"""What the console is answered, and answers: bytes that are no message, and texts of strangers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from services.operator_console.clients.asking import UNREADABLE, Asking, Question
from services.operator_console.clients.organizations import PAGE_SIZE, OrganizationsClient
from services.operator_console.clients.stubs import Stubs
from services.operator_console.domain.commands import SERVICES
from services.operator_console.domain.findings import CRITICAL, Silence
from services.operator_console.servicer import printable
from tests.support.services import free_address
from tollgate.billing_gateway.v1 import payment_pb2
from tollgate.billing_gateway.v1.billing_gateway_service_payments_pb2 import (
    ListPaymentsRequest,
    ListPaymentsResponse,
)
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import (
    BillingGatewayServiceServicer,
    add_BillingGatewayServiceServicer_to_server,
)
from tollgate.billing_gateway.v1.payment_pb2 import Payment
from tollgate.campaign.v1 import campaign_pb2
from tollgate.campaign.v1.campaign_pb2 import Campaign
from tollgate.campaign.v1.campaign_service_pb2 import ListCampaignsRequest, ListCampaignsResponse
from tollgate.campaign.v1.campaign_service_pb2_grpc import (
    CampaignServiceServicer,
    add_CampaignServiceServicer_to_server,
)
from tollgate.operator_console.v1 import diagnosis_pb2
from tollgate.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc


class Babbling(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """Answers whatever it is asked, and says nothing."""

    def service(self, handler_call_details: Any) -> Any:
        async def babble(_: bytes, __: object) -> bytes:
            return b"\xff\xff\xff"

        return grpc.unary_unary_rpc_method_handler(babble)


class ManyPayments(BillingGatewayServiceServicer):
    """Of an organization that pays often: what is parked is older than the newest page."""

    async def ListPayments(
        self, request: ListPaymentsRequest, context: Any
    ) -> ListPaymentsResponse:
        parked = Payment(payment_id="parked", state=payment_pb2.PAYMENT_STATE_PARKED)
        if request.state == payment_pb2.PAYMENT_STATE_PARKED:
            return ListPaymentsResponse(payments=[parked, newest(0)])
        return ListPaymentsResponse(payments=map(newest, range(request.page_size)))


def newest(number: int) -> Payment:
    return Payment(payment_id=f"pi_{number}")


class ManyCampaigns(CampaignServiceServicer):
    """Of an organization that has many: what a person has paused comes after the first page."""

    async def ListCampaigns(
        self, request: ListCampaignsRequest, context: Any
    ) -> ListCampaignsResponse:
        if request.pause_reason == campaign_pb2.PAUSE_REASON_MANUAL_PAUSE:
            return ListCampaignsResponse(campaigns=[Campaign(campaign_id="by-hand")])
        names = (f"c-{number}" for number in range(request.page_size))
        return ListCampaignsResponse(campaigns=[Campaign(campaign_id=name) for name in names])


@asynccontextmanager
async def served(server: grpc.aio.Server) -> AsyncIterator[grpc.aio.Channel]:
    address = free_address()
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel
    await server.stop(None)


async def test_who_answers_what_cannot_be_read_is_told_of_and_holds_nobody_up() -> None:
    taken = list[object]()
    async with served(grpc.aio.server(handlers=[Babbling()])) as channel:
        stub = wallet_service_pb2_grpc.WalletServiceStub(channel)
        question = Question(stub.GetOverview, wallet_service_pb2.GetOverviewRequest(), taken.append)
        unanswered = await Asking({"wallet": channel}, 3.0).ask({"wallet": [question]})
    assert unanswered["wallet"].silence is Silence.SERVICE_FAILING
    assert unanswered["wallet"].error == UNREADABLE
    assert taken == []


async def test_a_parked_payment_is_seen_however_many_came_after_it() -> None:
    server = grpc.aio.server()
    add_BillingGatewayServiceServicer_to_server(ManyPayments(), server)  # type: ignore[abstract]
    async with served(server) as channel:
        channels = dict.fromkeys(SERVICES, channel)
        look = await OrganizationsClient(Stubs(channels), Asking(channels, 3.0)).look("org-1")
    seen = sorted(each.payment_id for each in look.seen.payments)
    assert seen == sorted(["parked", *(f"pi_{number}" for number in range(PAGE_SIZE))])


async def test_a_pause_by_hand_is_seen_among_however_many() -> None:
    server = grpc.aio.server()
    add_CampaignServiceServicer_to_server(ManyCampaigns(), server)  # type: ignore[abstract]
    async with served(server) as channel:
        channels = dict.fromkeys(SERVICES, channel)
        look = await OrganizationsClient(Stubs(channels), Asking(channels, 3.0)).look("org-1")
    seen = sorted(each.campaign_id for each in look.seen.paused_campaigns)
    assert seen == sorted(["by-hand", *(f"c-{number}" for number in range(PAGE_SIZE))])


def test_no_text_of_a_stranger_commands_a_terminal_or_turns_a_line_around() -> None:
    line = diagnosis_pb2.TimelineEntry(
        what="froze", note="a\x1b[31m\x9b2J\u202eb\nü 🎉", actor="ann"
    )
    assert printable(line).note == "a?[31m?2J?b?ü 🎉"
    assert (line.what, line.actor) == ("froze", "ann")
    finding = printable(diagnosis_pb2.Finding(what="\x9b", severity=CRITICAL))
    assert (finding.what, finding.severity) == ("?", CRITICAL)
