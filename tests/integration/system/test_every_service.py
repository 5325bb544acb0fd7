"""What every service has: reflection, health, rich errors, a stop that drops nothing."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from tests.support.errors import refusal
from tests.support.stack import Stack
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

OPERATIONS = "tollgate.operations.v1.OperationsService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NAMES = {
    "wallet": {
        "tollgate.wallet.v1.WalletService",
        "tollgate.billing_gateway.v1.SubscriptionObserverService",
        OPERATIONS,
    },
    "campaign": {
        "tollgate.campaign.v1.CampaignService",
        "tollgate.billing_gateway.v1.SubscriptionObserverService",
        "tollgate.wallet.v1.WalletObserverService",
        OPERATIONS,
    },
    "telephony": {
        "tollgate.telephony.v1.TelephonyService",
        "tollgate.billing_gateway.v1.SubscriptionObserverService",
        "tollgate.wallet.v1.WalletObserverService",
        OPERATIONS,
    },
    "billing_gateway": {"tollgate.billing_gateway.v1.BillingGatewayService", OPERATIONS},
}


async def ask_reflection(
    channel: grpc.aio.Channel, version: str, request: ServerReflectionRequest
) -> ServerReflectionResponse:
    method = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    call = method(iter([request]))
    async for response in call:
        assert isinstance(response, ServerReflectionResponse)
        return response
    raise AssertionError("no answer")


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_every_service_is_described_by_reflection(stack: Stack, version: str) -> None:
    for service, names in NAMES.items():
        async with grpc.aio.insecure_channel(stack.addresses[service]) as channel:
            listed = await ask_reflection(
                channel, version, ServerReflectionRequest(list_services="")
            )
            assert names <= {each.name for each in listed.list_services_response.service}
            for name in names:
                described = await ask_reflection(
                    channel, version, ServerReflectionRequest(file_containing_symbol=name)
                )
                assert described.file_descriptor_response.file_descriptor_proto


async def test_every_service_tells_its_health_by_name(stack: Stack) -> None:
    for service, names in NAMES.items():
        async with grpc.aio.insecure_channel(stack.addresses[service]) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for name in ("", *names):
                answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
                assert answer.status == SERVING, (service, name)


async def test_an_unknown_method_is_unimplemented_and_too_much_is_refused(stack: Stack) -> None:
    async with grpc.aio.insecure_channel(stack.addresses["wallet"]) as channel:
        unknown: Any = channel.unary_unary("/tollgate.wallet.v1.WalletService/PrintMoney")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unknown(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    huge = wallet_service_pb2.GetWalletRequest(organization_id="x" * 5_000_000)
    assert (await refusal(stack.wallet.GetWallet(huge))).code is (
        grpc.StatusCode.RESOURCE_EXHAUSTED
    )


async def test_a_refusal_says_which_campaign_is_not_known(stack: Stack) -> None:
    request = campaign_service_pb2.GetCampaignRequest(campaign_id="nobody-made-it")
    found = await refusal(stack.campaign.GetCampaign(request))
    assert found.code is grpc.StatusCode.NOT_FOUND
    assert found.reason == "CAMPAIGN_NOT_FOUND"
    assert found.metadata == {"campaignId": "nobody-made-it"}


async def test_a_stop_lets_calls_under_way_finish(stack: Stack) -> None:
    create = wallet_service_pb2.CreateWalletRequest(organization_id="org-1", currency_code="USD")
    await stack.wallet.CreateWallet(create)
    credits_ = [
        wallet_service_pb2.CreditRequest(
            organization_id="org-1",
            amount_micros=1,
            currency_code="USD",
            reference_id=f"in-{number}",
            type=wallet_service_pb2.CREDIT_TYPE_TOP_UP,
        )
        for number in range(50)
    ]
    calls = [asyncio.ensure_future(stack.wallet.Credit(each)) for each in credits_]
    await calls[0]

    await stack.stop("wallet")

    answers = await asyncio.gather(*calls, return_exceptions=True)
    acknowledged = sum(1 for answer in answers if not isinstance(answer, BaseException))
    await stack.start("wallet")
    for each in credits_:
        await stack.wallet.Credit(each, wait_for_ready=True)
    request = wallet_service_pb2.GetWalletRequest(organization_id="org-1")
    assert (await stack.wallet.GetWallet(request)).wallet.balance_micros == 50
    assert acknowledged >= 1


async def test_what_cannot_be_decoded_is_an_invalid_argument(stack: Stack) -> None:
    async with grpc.aio.insecure_channel(stack.addresses["wallet"]) as channel:
        method: Any = channel.unary_unary("/tollgate.wallet.v1.WalletService/GetWallet")
        for body in (b"\x0a\x02\xff\xfe", b"\xff" * 20, b"\x0a\x7f"):
            found = await refusal(method(body))
            assert found.code is grpc.StatusCode.INVALID_ARGUMENT
            assert found.fields == ["request"]
