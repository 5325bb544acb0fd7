"""Who collects traces and reports of errors: real receivers of what the libraries send."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import grpc
from aiohttp import web
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.services import free_address


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans by OTLP."""

    address: str
    requests: list[trace_service_pb2.ExportTraceServiceRequest] = field(default_factory=list)

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keep them."""
        self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def endpoint(self) -> str:
        """Return what a setting calls it."""
        return f"http://{self.address}"

    def spans(self) -> Iterator[Span]:
        """Yield all that have come."""
        for request in self.requests:
            for of_resource in request.resource_spans:
                for of_scope in of_resource.scope_spans:
                    yield from of_scope.spans

    def named(self, name: str) -> list[Span]:
        """Return those of one name."""
        return [span for span in self.spans() if span.name == name]


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run one."""
    taking = Collector(free_address())
    server = grpc.aio.server()
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(taking, server)
    server.add_insecure_port(taking.address)
    await server.start()
    try:
        yield taking
    finally:
        await server.stop(None)


def attributes_of(span: Span) -> dict[str, Any]:
    """Return what a span says of itself."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value")
        for each in span.attributes
    }


@dataclass
class Sentry:
    """Takes envelopes."""

    address: str
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """Return what a setting calls it."""
        return f"http://public@{self.address}/7"

    async def take(self, request: web.Request) -> web.Response:
        """Keep the events of an envelope: a line for it, then two for each of its items."""
        body = await request.read()
        content = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        self.sent.append(content)
        _, *items = [json.loads(line) for line in content.splitlines() if line]
        for head, item in pairwise(items):
            if head.get("type") == "event":
                self.events.append(item)
        return web.json_response({})


@asynccontextmanager
async def sentry() -> AsyncIterator[Sentry]:
    """Run one."""
    taking = Sentry(free_address())
    application = web.Application()
    application.router.add_post("/api/7/envelope/", taking.take)
    runner = web.AppRunner(application)
    await runner.setup()
    host, _, port = taking.address.partition(":")
    await web.TCPSite(runner, host, int(port)).start()
    try:
        yield taking
    finally:
        await runner.cleanup()
