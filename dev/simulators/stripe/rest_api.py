"""The part of Stripe's REST API that Tollgate uses, over HTTP."""

import base64
import hmac
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from dev.simulators.faults import Faults, Refusal
from dev.simulators.given import posted
from dev.simulators.stripe.books import Replay, find
from dev.simulators.stripe.errors import StripeError, refused
from dev.simulators.stripe.forms import Form, read, read_form
from dev.simulators.stripe.objects import StripeObject
from dev.simulators.stripe.orders import (
    AskedExpansion,
    AskedInvoicePayments,
    AskedRefund,
    order_session,
)
from dev.simulators.stripe.shapes import write, write_list
from dev.simulators.stripe.verbs import StripeAccount

REQUESTS_KEPT = 10_000
IDEMPOTENCY_KEY = "Idempotency-Key"

Answerer = Callable[[str, Form], dict[str, Any]]


@dataclass(frozen=True)
class ReceivedRequest:
    """A request for Stripe, kept before anything is decided about it."""

    call: str
    object_id: str
    idempotency_key: str
    form: Form


class RestApi:
    """Answers as Stripe does, or as a fault says."""

    def __init__(self, account: StripeAccount, api_key: str, faults: Faults) -> None:
        self.requests: deque[ReceivedRequest] = deque(maxlen=REQUESTS_KEPT)
        self._account = account
        self._api_key = api_key.encode()
        self._faults = faults
        books = account.books
        self._answerers: dict[str, Answerer] = {
            "POST /v1/checkout/sessions": self._create_session,
            "GET /v1/checkout/sessions/{id}": self._get_session,
            "GET /v1/subscriptions/{id}": self._getter(books.subscriptions, "subscription"),
            "POST /v1/subscriptions/{id}": self._update_subscription,
            "DELETE /v1/subscriptions/{id}": self._cancel_subscription,
            "POST /v1/subscriptions/{id}/resume": self._resume_subscription,
            "GET /v1/invoice_payments": self._list_invoice_payments,
            "GET /v1/invoices/{id}": self._getter(books.invoices, "invoice"),
            "GET /v1/charges/{id}": self._getter(books.charges, "charge"),
            "GET /v1/payment_intents/{id}": self._getter(books.intents, "payment_intent"),
            "GET /v1/disputes/{id}": self._getter(books.disputes, "dispute"),
            "POST /v1/refunds": self._create_refund,
            "GET /v1/events": self._list_events,
        }

    def routes(self) -> list[web.RouteDef]:
        known = [
            web.route(call.split()[0], call.split()[1], self._handler(call))
            for call in self._answerers
        ]
        return [*known, web.route(hdrs.METH_ANY, "/v1/{rest:.*}", self._handle_unknown)]

    def _handler(self, call: str) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            try:
                form = await self._read(request)
            except StripeError as error:
                return self._error(error)
            object_id = request.match_info.get("id", "")
            key = request.headers.get(IDEMPOTENCY_KEY, "")
            self.requests.append(ReceivedRequest(call, object_id, key, form))

            async def answer() -> web.Response:
                return self._answer(call, request, form)

            return await self._faults.answer(request, (call,), answer, self._refuse)

        return handle

    async def _read(self, request: web.Request) -> Form:
        if request.method != hdrs.METH_POST:
            return read_form(request.query.items())
        try:
            return read_form((await posted(request)).items())
        except web.HTTPBadRequest as error:
            raise refused(error.text or "") from error

    async def _handle_unknown(self, request: web.Request) -> web.Response:
        problem = f"Unrecognized request URL ({request.method}: {request.path})."
        return self._error(StripeError(HTTPStatus.NOT_FOUND, problem))

    def _answer(self, call: str, request: web.Request, form: Form) -> web.Response:
        try:
            self._authenticate(request)
            key = request.headers.get(IDEMPOTENCY_KEY) if request.method == "POST" else None
            return self._respond(self._once(call, key, request.match_info.get("id", ""), form))
        except StripeError as error:
            return self._error(error)

    def _authenticate(self, request: web.Request) -> None:
        key = _key_of(request.headers.get(hdrs.AUTHORIZATION, ""))
        if not hmac.compare_digest(key.encode(errors="replace"), self._api_key):
            # Quoted back, as by Stripe.
            raise StripeError(HTTPStatus.UNAUTHORIZED, f"Invalid API Key provided: {key}")

    def _once(self, call: str, key: str | None, object_id: str, form: Form) -> dict[str, Any]:
        """What succeeded with a key is answered again as it was."""
        if key is None:
            return self._answerers[call](object_id, form)
        asked = json.dumps([call, object_id, form], sort_keys=True)
        known = self._account.books.replays.get(key)
        if known is None:
            body = self._answerers[call](object_id, form)
            known = self._account.books.replays[key] = Replay(asked, body)
        if known.asked != asked:
            problem = "Keys for idempotent requests can only be used with the same parameters."
            raise StripeError(HTTPStatus.BAD_REQUEST, problem, kind="idempotency_error")
        return known.body

    def _create_session(self, _: str, form: Form) -> dict[str, Any]:
        session = order_session(form, self._account.now())
        self._account.open_session(session)
        return write(session)

    def _get_session(self, session_id: str, form: Form) -> dict[str, Any]:
        session = self._account.session(session_id)
        written = write(session)
        if session.intent_id and "payment_intent" in read(AskedExpansion, form).expand.values():
            written["payment_intent"] = write(self._account.intent(session.intent_id))
        return written

    def _getter(self, kept: dict[str, Any], what: str) -> Answerer:
        def get(object_id: str, _: Form) -> dict[str, Any]:
            found: StripeObject = find(kept, object_id, what)
            return write(found)

        return get

    def _update_subscription(self, subscription_id: str, form: Form) -> dict[str, Any]:
        self._account.set_cancel_at_period_end(
            subscription_id, ends=form.get("cancel_at_period_end") == "true"
        )
        return write(self._account.subscription(subscription_id))

    def _cancel_subscription(self, subscription_id: str, _: Form) -> dict[str, Any]:
        self._account.cancel(subscription_id)
        return write(self._account.subscription(subscription_id))

    def _resume_subscription(self, subscription_id: str, _: Form) -> dict[str, Any]:
        self._account.resume(subscription_id)
        return write(self._account.subscription(subscription_id))

    def _list_invoice_payments(self, _: str, form: Form) -> dict[str, Any]:
        payment = read(AskedInvoicePayments, form).payment
        found = [
            write(each)
            for each in self._account.books.invoice_payments.values()
            if each.intent_id == payment.payment_intent
        ]
        return write_list("/v1/invoice_payments", found)

    def _create_refund(self, _: str, form: Form) -> dict[str, Any]:
        asked = read(AskedRefund, form)
        refund_id = self._account.refund(asked.payment_intent, asked.amount)
        return write(self._account.books.refunds[refund_id])

    def _list_events(self, _: str, __: Form) -> dict[str, Any]:
        return write_list("/v1/events", self._account.books.events[::-1])

    def _refuse(self, refusal: Refusal) -> web.Response:
        message = f"Refused by a fault that is set: {refusal.code}"
        return self._error(StripeError(refusal.status, message, code=refusal.code))

    def _error(self, error: StripeError) -> web.Response:
        return self._respond(error.body(), error.status)

    def _respond(self, body: dict[str, Any], status: int = HTTPStatus.OK) -> web.Response:
        now = format_datetime(self._account.now(), usegmt=True)
        return web.json_response(body, status=status, headers={hdrs.DATE: now})


def _key_of(authorization: str) -> str:
    """The key as clients send it: as a token, or as the user of a name without a password."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme == "Bearer":
        return credentials
    if scheme != "Basic":
        return authorization
    try:
        return base64.b64decode(credentials).decode().partition(":")[0]
    except ValueError:
        return credentials
