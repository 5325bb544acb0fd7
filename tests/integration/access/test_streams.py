"""Streams that stay open: of whom, how many, and for how long they are believed."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from dev.stack.certificates import directory_of
from libs.rpc.refused import REFUSED_FILE
from services.campaign.app import build
from services.campaign.config import CampaignSettings
from tests.conftest import MakeDatabase
from tests.support.doors import Door
from tests.support.errors import refusal
from tests.support.services import ANY_PORT, free_address
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub

STREAMS_MAX = 2
# `list_services` of any host, in bytes.
LIST_SERVICES = b"\x3a\x01*"
WATCH = campaign_service_pb2.WatchCampaignsRequest(organization_id="org-1")
GET_ELIGIBILITY = campaign_service_pb2.GetEligibilityRequest(organization_id="org-1")


@pytest.fixture
async def campaigns(make_database: MakeDatabase, certificates: Path) -> AsyncIterator[Door]:
    """A campaign service, with one campaign."""
    door = Door(free_address(), certificates)
    service = await build(
        CampaignSettings(
            database_url=SecretStr((await make_database("campaign")).url),
            listen_address=door.address,
            metrics_address=ANY_PORT,
            tls_directory=directory_of("campaign", certificates),
            caller_streams_max=STREAMS_MAX,
        )
    )
    await service.start()
    await create_campaign(door, "spring")
    yield door
    await service.stop()


async def create_campaign(door: Door, campaign_id: str) -> None:
    """Create one as the platform, of which whoever watches is told."""
    async with door.open("platform") as channel:
        await CampaignServiceStub(channel).CreateCampaign(
            campaign_service_pb2.CreateCampaignRequest(
                campaign_id=campaign_id, organization_id="org-1", brand_id="brand", name="A name"
            )
        )


async def watch(channel: grpc.aio.Channel) -> Any:
    """Return a stream that is open, and has told of the first campaign."""
    stream = CampaignServiceStub(channel).WatchCampaigns(WATCH)
    await anext(aiter(stream))
    return stream


async def test_who_is_refused_hears_nothing_more_on_a_stream_that_is_open(campaigns: Door) -> None:
    refused = directory_of("campaign", campaigns.certificates_directory) / REFUSED_FILE

    async with campaigns.open("sender") as channel:
        stream = await watch(channel)
        refused.write_text("sender/dev")

        async def reason() -> str:
            stub = CampaignServiceStub(channel)
            try:
                await stub.GetEligibility(GET_ELIGIBILITY)
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return ""

        await eventually(reason, lambda seen: seen == "UNAUTHENTICATED")
        await create_campaign(campaigns, "summer")
        found = await refusal(anext(aiter(stream)))
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_each_caller_keeps_so_many_streams_open_and_no_more(campaigns: Door) -> None:
    async with campaigns.open("sender") as many, campaigns.open("operator") as other:
        first, _ = [await watch(many) for _ in range(STREAMS_MAX)]
        found = await refusal(watch(many))
        assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert found.retry_seconds
        await watch(other)
        first.cancel()

        async def is_let_in() -> bool:
            try:
                await watch(many)
            except grpc.aio.AioRpcError:
                return False
            return True

        await eventually(is_let_in, bool)


async def test_who_watches_the_health_or_asks_reflection_is_counted_as_well(
    campaigns: Door,
) -> None:
    refused = directory_of("campaign", campaigns.certificates_directory) / REFUSED_FILE

    async with campaigns.open("operator") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(STREAMS_MAX)]
        for each in watches:
            await anext(aiter(each))
        found = await refusal(anext(aiter(health.Watch(health_pb2.HealthCheckRequest()))))
        assert found.reason == "OVERLOADED"
        assert (await refusal(reflection(channel).read())).reason == "OVERLOADED"
        watches[0].cancel()
        await eventually(partial(is_reflected, channel), bool)

        stream = reflection(channel)
        await stream.write(LIST_SERVICES)
        await stream.read()
        refused.write_text("operator/dev")

        async def reason() -> str:
            try:
                await health.Check(health_pb2.HealthCheckRequest())
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return ""

        await eventually(reason, lambda seen: seen == "UNAUTHENTICATED")
        await stream.write(LIST_SERVICES)
        assert (await refusal(stream.read())).reason == "UNAUTHENTICATED"


def reflection(channel: grpc.aio.Channel) -> Any:
    """Open a stream on which to ask what the service can do."""
    rpc: Any = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    return rpc()


async def is_reflected(channel: grpc.aio.Channel) -> bool:
    stream = reflection(channel)
    try:
        await stream.write(LIST_SERVICES)
        await stream.read()
    except grpc.aio.AioRpcError:
        return False
    stream.cancel()
    return True
