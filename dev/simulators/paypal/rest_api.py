"""The part of PayPal's REST API that Tollgate uses, over HTTP."""

import base64
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from dev.simulators.clock import Clock
from dev.simulators.deliveries import Deliveries, Event
from dev.simulators.faults import Faults, Refusal
from dev.simulators.paypal import objects
from dev.simulators.paypal.account import Account
from dev.simulators.paypal.asked import (
    AskedOrder,
    AskedRefund,
    AskedSubscription,
    read,
    read_body,
)
from dev.simulators.paypal.errors import PayPalError, invalid, not_found
from dev.simulators.paypal.objects import JsonObject
from dev.simulators.paypal.signing import Signer

TOKEN_SECONDS = 32_400
OK, CREATED, NO_CONTENT = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT

Result = tuple[int, JsonObject]
Handle = Callable[[web.Request, JsonObject], Result]


@dataclass(frozen=True)
class ReceivedRequest:
    """A request for PayPal, recorded before anything is decided about it."""

    call: str
    path: str
    request_id: str
    time: datetime


@dataclass
class RestApi:
    """Answers as PayPal does, or as a fault says."""

    account: Account
    clock: Clock
    signer: Signer
    deliveries: Deliveries
    credentials: tuple[str, str]
    certificate_pem: bytes
    faults: Faults = field(default_factory=lambda: Faults("RATE_LIMIT_REACHED"))
    requests: list[ReceivedRequest] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    # What was answered to a request id; PayPal answers the same again.
    answered: dict[tuple[str, str], Result] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        orders, subscriptions = "/v2/checkout/orders", "/v1/billing/subscriptions"
        events = "/v1/notifications/webhooks-events/{id}"
        post, get = hdrs.METH_POST, hdrs.METH_GET
        return [
            web.post("/v1/oauth2/token", self._answer_token),
            web.get("/v1/notifications/certs/{name}", self._answer_certificate),
            web.post("/v1/notifications/verify-webhook-signature", self._answer_verification),
            self._route(post, orders, "create_order", self._create_order),
            self._route(get, f"{orders}/{{id}}", "get_order", self._get_order),
            self._route(post, f"{orders}/{{id}}/capture", "capture_order", self._capture_order),
            self._route(get, "/v2/payments/captures/{id}", "get_capture", self._get_capture),
            self._route(post, "/v2/payments/captures/{id}/refund", "refund", self._refund),
            self._route(get, "/v2/payments/refunds/{id}", "get_refund", self._get_refund),
            self._route(get, "/v1/payments/sale/{id}", "get_sale", self._get_sale),
            self._route(get, "/v1/payments/refund/{id}", "get_sale_refund", self._get_sale_refund),
            self._route(post, subscriptions, "create_subscription", self._create_subscription),
            self._route(get, f"{subscriptions}/{{id}}", "get_subscription", self._get_subscription),
            *(
                self._route(post, f"{subscriptions}/{{id}}/{verb}", f"{verb}_subscription", change)
                for verb, change in self._changes().items()
            ),
            self._route(get, events, "get_event", self._get_event),
            self._route(post, f"{events}/resend", "resend_event", self._resend_event),
        ]

    def _route(self, method: str, path: str, call: str, handle: Handle) -> web.RouteDef:
        async def answer(request: web.Request) -> web.Response:
            text = await request.read()
            return await self._meet(request, call, lambda: self._handle(request, text, handle))

        return web.route(method, path, answer)

    async def _meet(
        self, request: web.Request, call: str, handle: Callable[[], Result]
    ) -> web.Response:
        request_id = request.headers.get("PayPal-Request-Id", "")
        now = self.clock.now()
        self.requests.append(ReceivedRequest(call, request.path, request_id, now))

        async def answer() -> web.Response:
            try:
                return self._respond(request, *handle())
            except PayPalError as error:
                return self._respond(request, error.status, error.body())

        def refuse(refusal: Refusal) -> web.Response:
            error = PayPalError(refusal.status, refusal.code, refusal.code)
            return self._respond(request, refusal.status, error.body())

        return await self.faults.answer(request, (call,), answer, refuse)

    def _handle(self, request: web.Request, text: bytes, handle: Handle) -> Result:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise PayPalError(HTTPStatus.UNAUTHORIZED, "AUTHENTICATION_FAILURE")
        key = request.path, request.headers.get("PayPal-Request-Id", "")
        if request.method == hdrs.METH_GET or not key[1]:
            return handle(request, read_body(text))
        if key not in self.answered:
            try:
                self.answered[key] = handle(request, read_body(text))
            except PayPalError as error:
                self.answered[key] = error.status, error.body()
        return self.answered[key]

    def _respond(self, request: web.Request, status: int, body: JsonObject) -> web.Response:
        headers = {
            hdrs.DATE: format_datetime(self.clock.now(), usegmt=True),
            "Paypal-Debug-Id": secrets.token_hex(7),
        }
        if status == NO_CONTENT:
            return web.Response(status=status, headers=headers)
        # The pages where a customer approves are the simulator's own.
        here = f"{request.scheme}://{request.host}"
        text = json.dumps(body).replace(objects.SITE, here)
        return web.Response(
            status=status, headers=headers, text=text, content_type="application/json"
        )

    async def _answer_token(self, request: web.Request) -> web.Response:
        def handle() -> Result:
            given = request.headers.get(hdrs.AUTHORIZATION, "").encode()
            wanted = b"Basic " + base64.b64encode(":".join(self.credentials).encode())
            if not hmac.compare_digest(given, wanted):
                return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
            token = f"A21AA{secrets.token_urlsafe(32)}"
            self.tokens.add(token)
            return OK, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

        return await self._meet(request, "token", handle)

    async def _answer_certificate(self, request: web.Request) -> web.Response:
        if request.match_info["name"] != self.signer.certificate_name:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(body=self.certificate_pem, content_type="application/x-pem-file")

    async def _answer_verification(self, request: web.Request) -> web.Response:
        text = await request.read()

        def verify(_: web.Request, asked: JsonObject) -> Result:
            is_signed = self.signer.is_signed(asked, _written(text.decode(), "webhook_event"))
            return OK, {"verification_status": "SUCCESS" if is_signed else "FAILURE"}

        return await self._meet(
            request,
            "verify_webhook_signature",
            lambda: self._handle(request, text, verify),
        )

    def _create_order(self, _: web.Request, body: JsonObject) -> Result:
        asked = read(AskedOrder, body)
        [unit] = asked.purchase_units
        order = self.account.create_order(
            unit.amount.value,
            unit.amount.currency_code,
            custom_id=unit.custom_id,
            invoice_id=unit.invoice_id,
            return_url=asked.context.return_url,
            cancel_url=asked.context.cancel_url,
        )
        if asked.payment_source is None:
            order.status = "CREATED"
        return CREATED, self.account.order_json(order)

    def _get_order(self, request: web.Request, _: JsonObject) -> Result:
        return OK, self.account.order_json(self.account.order(request.match_info["id"]))

    def _capture_order(self, request: web.Request, _: JsonObject) -> Result:
        order = self.account.capture_order(request.match_info["id"])
        return CREATED, self.account.order_json(order)

    def _get_capture(self, request: web.Request, _: JsonObject) -> Result:
        payment = self.account.payment(request.match_info["id"])
        if payment.kind != "capture":
            raise not_found()
        return OK, objects.capture_json(payment)

    def _get_sale(self, request: web.Request, _: JsonObject) -> Result:
        payment = self.account.payment(request.match_info["id"])
        if payment.kind != "sale":
            raise not_found()
        return OK, objects.sale_json(payment)

    def _refund(self, request: web.Request, body: JsonObject) -> Result:
        money = read(AskedRefund, body).amount
        amount = money.value if money else None
        refund_id = self.account.refund(request.match_info["id"], amount)
        return CREATED, objects.refund_json(self.account.a_refund(refund_id), "capture")

    def _get_refund(self, request: web.Request, _: JsonObject) -> Result:
        return self._refund_of("capture", request)

    def _get_sale_refund(self, request: web.Request, _: JsonObject) -> Result:
        return self._refund_of("sale", request)

    def _refund_of(self, kind: Any, request: web.Request) -> Result:
        refund = self.account.a_refund(request.match_info["id"])
        if self.account.payment(refund.payment_id).kind != kind:
            raise not_found()
        return OK, objects.refund_json(refund, kind)

    def _create_subscription(self, _: web.Request, body: JsonObject) -> Result:
        asked = read(AskedSubscription, body)
        subscription = self.account.create_subscription(
            asked.plan_id,
            custom_id=asked.custom_id,
            return_url=asked.application_context.return_url,
            cancel_url=asked.application_context.cancel_url,
        )
        return CREATED, objects.subscription_json(subscription)

    def _get_subscription(self, request: web.Request, _: JsonObject) -> Result:
        subscription = self.account.subscription(request.match_info["id"])
        asked = "last_failed_payment" in request.query.get("fields", "")
        return OK, objects.subscription_json(subscription, with_failure=asked)

    def _changes(self) -> Mapping[str, Handle]:
        def by(change: Callable[[str], None]) -> Handle:
            def handle(request: web.Request, _: JsonObject) -> Result:
                change(request.match_info["id"])
                return NO_CONTENT, {}

            return handle

        return {
            "cancel": by(self.account.cancel),
            "suspend": by(self.account.suspend),
            "activate": by(self.account.reactivate),
        }

    def _get_event(self, request: web.Request, _: JsonObject) -> Result:
        return OK, json.loads(self._event(request).body)

    def _resend_event(self, request: web.Request, _: JsonObject) -> Result:
        event = self._event(request)
        self.deliveries.happen(event)
        return HTTPStatus.ACCEPTED, json.loads(event.body)

    def _event(self, request: web.Request) -> Event:
        if request.match_info["id"] not in self.events:
            raise not_found()
        return self.events[request.match_info["id"]]


def _written(text: str, name: str) -> bytes:
    """A value of a JSON object as it was written, byte for byte."""
    try:
        start = text.index(":", text.index(f'"{name}"')) + 1
        start += len(text[start:]) - len(text[start:].lstrip())
        _, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError as error:
        raise invalid("MISSING_REQUIRED_PARAMETER", f"/{name}") from error
    return text[start:end].encode()
