"""One round of questions: who does not answer is told of, and holds nobody up."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.errors import ErrorReason
from libs.logs import get_logger
from libs.rpc.client import error_info
from services.operator_console.domain.findings import Silence, Unanswered

NOT_SERVING: Final = "its database is away"
# gRPC makes nothing of bytes that are no such message.
UNREADABLE: Final = "what it answers cannot be read"
# Of what several questions have met with, the one that explains the others.
SAYS_MOST: Final = {
    silence: order
    for order, silence in enumerate(
        (
            Silence.ACCESS_REFUSED,
            Silence.SERVICE_DOWN,
            Silence.DATABASE_DOWN,
            Silence.SERVICE_FAILING,
            Silence.SET_UP_OUTDATED,
        )
    )
}


@dataclass(frozen=True, slots=True)
class Question:
    """A call to make, and what its answer is for."""

    method: Any
    request: Any
    take: Callable[[Any], None]


class Asking:
    """Asks services over channels of their own."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], answer_seconds_max: float) -> None:
        self._healths = {
            service: health_pb2_grpc.HealthStub(channel) for service, channel in channels.items()
        }
        self._seconds_max = answer_seconds_max

    async def ask(self, questions: Mapping[str, Iterable[Question]]) -> dict[str, Unanswered]:
        """Put all questions at once; return which services have left some without an answer."""
        verdicts = await asyncio.gather(
            *(self._ask_service(service, list(each)) for service, each in questions.items())
        )
        return {service: verdict for service, verdict in verdicts if verdict is not None}

    async def _ask_service(
        self, service: str, questions: list[Question]
    ) -> tuple[str, Unanswered | None]:
        health, *failures = await asyncio.gather(
            self._check(service), *(self._put(service, question) for question in questions)
        )
        found = filter(None, [health, *failures])
        return service, min(found, key=lambda each: SAYS_MOST[each.silence], default=None)

    async def _check(self, service: str) -> Unanswered | None:
        check = self._healths[service].Check
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=self._seconds_max)
        except grpc.aio.AioRpcError as error:
            return Unanswered(Silence.SERVICE_DOWN, _told(error))
        if answer is None:
            return Unanswered(Silence.SERVICE_FAILING, UNREADABLE)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            return Unanswered(Silence.DATABASE_DOWN, NOT_SERVING)
        return None

    async def _put(self, service: str, question: Question) -> Unanswered | None:
        try:
            answer = await question.method(question.request, timeout=self._seconds_max)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            get_logger().warning(
                "service_did_not_answer", called=service, code=error.code().name, error=_told(error)
            )
            return Unanswered(_silence_of(error), _told(error))
        if answer is None:
            return Unanswered(Silence.SERVICE_FAILING, UNREADABLE)
        question.take(answer)
        return None


def _silence_of(error: grpc.aio.AioRpcError) -> Silence:
    info = error_info(error)
    if info is not None and info.reason == ErrorReason.DATABASE_UNAVAILABLE:
        return Silence.DATABASE_DOWN
    if error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
        return Silence.ACCESS_REFUSED
    if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
        return Silence.SET_UP_OUTDATED
    return Silence.SERVICE_FAILING


def _told(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name}, {error.details()}"
