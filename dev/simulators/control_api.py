"""A simulator's switches, its memory and more, over HTTP, in JSON."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import (
    AwareDatetime,
    Field,
    FiniteFloat,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
    validate_call,
)
from pydantic.dataclasses import dataclass

from dev.simulators.clock import Clock
from dev.simulators.deliveries import Deliveries
from dev.simulators.faults import Faults, Load, Switch

PREFIX = "/_simulator"


class ActRefusedError(Exception):
    """What was asked for cannot happen; the message says why."""


@dataclass(frozen=True)
class DeliverySwitches:
    """How webhooks leave from now on; what is not given is as at the start."""

    hold: bool = False
    duplicates: NonNegativeInt = 0
    delay_seconds: Annotated[float, Field(ge=0)] = 0.0
    reorder_window: NonNegativeInt = 0
    lose: NonNegativeInt | Annotated[float, Field(ge=0, le=1)] = 0


@dataclass(frozen=True)
class ClockSwitch:
    """What time it is from now on: as given, or as it is, and so much later."""

    time: AwareDatetime | None = None
    advance_seconds: FiniteFloat = 0.0


@dataclasses.dataclass(kw_only=True)
class ControlApi:
    """For whoever watches or disturbs a simulator; Tollgate's services do not know it."""

    faults: Faults
    clock: Clock
    verbs: Mapping[str, Callable[..., Any]]
    # What a verb raises that cannot happen now.
    refusal: type[Exception]
    requests: Callable[[], Sequence[Any]]
    reset: Callable[[], None]

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_explain])
        application.add_routes(self.routes())
        return application

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("", self._describe),
            web.get("/faults", self._list_faults),
            web.post("/faults", self._set_fault),
            web.delete("/faults", self._clear_faults),
            web.put("/load", self._set_load),
            web.get("/clock", self._tell_time),
            web.put("/clock", self._set_clock),
            web.post("/act/{verb}", self._do),
            web.get("/requests", self._list_requests),
            web.post("/reset", self._forget),
        ]

    def bodies(self) -> dict[str, Any]:
        """What can be switched, and the type or the method that says with what."""
        return {
            "POST /faults": Switch,
            "PUT /load": Load,
            "PUT /clock": ClockSwitch,
            **{f"POST /act/{name}": verb for name, verb in self.verbs.items()},
        }

    async def _describe(self, _: web.Request) -> web.Response:
        described = {
            call.replace("/", f"{PREFIX}/", 1): {
                "does": inspect.getdoc(body) or "",
                "body": TypeAdapter(body).json_schema(),
            }
            for call, body in self.bodies().items()
        }
        return to_json(described, indent=2)

    async def _list_faults(self, _: web.Request) -> web.Response:
        return to_json(self.faults.all())

    async def _set_fault(self, request: web.Request) -> web.Response:
        switch = TypeAdapter(Switch).validate_json(await request.read())
        self.faults.set(switch.fault, switch.call, switch.times)
        return to_json(self.faults.all())

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear(request.query.get("call"))
        return to_json(self.faults.all())

    async def _set_load(self, request: web.Request) -> web.Response:
        load = TypeAdapter(Load).validate_json(await request.read())
        self.faults.set_load(load)
        return to_json(load)

    async def _tell_time(self, _: web.Request) -> web.Response:
        return to_json({"time": self.clock.now()})

    async def _set_clock(self, request: web.Request) -> web.Response:
        asked = TypeAdapter(ClockSwitch).validate_json(await request.read())
        if asked.time is not None:
            self.clock.set(asked.time)
        self.clock.advance(timedelta(seconds=asked.advance_seconds))
        return await self._tell_time(request)

    async def _do(self, request: web.Request) -> web.Response:
        arguments = TypeAdapter(dict[str, Any]).validate_json(await request.read() or b"{}")
        verb = self.verbs.get(request.match_info["verb"])
        if verb is None:
            raise ActRefusedError(f"unknown verb; known are {', '.join(self.verbs)}")
        try:
            return to_json(validate_call(verb)(**arguments))
        except self.refusal as error:
            raise ActRefusedError(str(error)) from error

    async def _list_requests(self, _: web.Request) -> web.Response:
        return to_json(self.requests())

    async def _forget(self, _: web.Request) -> web.Response:
        self.reset()
        return web.Response(status=HTTPStatus.NO_CONTENT)


@dataclasses.dataclass(kw_only=True)
class ProviderControlApi(ControlApi):
    """A payment provider's, which tells what happens."""

    deliveries: Deliveries

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), web.put("/deliveries", self._set_deliveries)]

    def bodies(self) -> dict[str, Any]:
        return {**super().bodies(), "PUT /deliveries": DeliverySwitches}

    async def _set_deliveries(self, request: web.Request) -> web.Response:
        asked = TypeAdapter(DeliverySwitches).validate_json(await request.read())
        self.deliveries.duplicates = asked.duplicates
        self.deliveries.delay_seconds = asked.delay_seconds
        self.deliveries.reorder_window = asked.reorder_window
        self.deliveries.lose = asked.lose
        if asked.hold:
            self.deliveries.hold()
        else:
            self.deliveries.release()
        return to_json(asked)


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells a person what is wrong with what they sent to the switches."""
    try:
        return await handler(request)
    except (ValidationError, ActRefusedError) as error:
        return web.json_response({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)


def to_json(value: object, indent: int | None = None) -> web.Response:
    body = TypeAdapter(Any).dump_json(value, indent=indent)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: "application/json"})
