"""Server reflection in both versions that clients ask for; they speak the same messages."""

from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

V1_SERVICE_NAME = "grpc.reflection.v1.ServerReflection"
METHOD_NAME = "ServerReflectionInfo"
REFLECTION_METHODS = tuple(
    f"/{service}/{METHOD_NAME}" for service in (V1_SERVICE_NAME, reflection.SERVICE_NAME)
)


def add_reflection(server: grpc.aio.Server, service_names: list[str]) -> None:
    """Let clients such as grpcurl learn the services from the server itself."""
    names = [*service_names, reflection.SERVICE_NAME, V1_SERVICE_NAME]
    servicer: Any = reflection.aio.ReflectionServicer(names)
    reflection.enable_server_reflection(names, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=ServerReflectionRequest.FromString,
        response_serializer=ServerReflectionResponse.SerializeToString,
    )
    server.add_registered_method_handlers(V1_SERVICE_NAME, {METHOD_NAME: handler})
