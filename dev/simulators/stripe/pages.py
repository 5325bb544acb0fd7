"""The page that customers of a session are sent to, and what they do there."""

from html import escape
from http import HTTPStatus

from aiohttp import web

from dev.simulators.given import posted
from dev.simulators.stripe.errors import StripeError
from dev.simulators.stripe.objects import Session
from dev.simulators.stripe.verbs import StripeAccount

PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Stripe simulator</title></head>
<body>
<h1>Stripe simulator</h1>
<p>{what}, {status}</p>
<form method="post">
<button name="act" value="pay">Pay by card</button>
<button name="act" value="pay_later">Pay from a bank account</button>
</form>
<p><a href="{cancel_url}">Back</a></p>
</body>
</html>
"""
SESSION_ID = "{CHECKOUT_SESSION_ID}"


class Pages:
    """Stands in for checkout.stripe.com."""

    def __init__(self, account: StripeAccount) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/pay/{id}", self.show), web.post("/pay/{id}", self.act)]

    async def show(self, request: web.Request) -> web.Response:
        session = self._find(request)
        page = PAGE.format(
            what=escape(_what(session)),
            status=session.status,
            cancel_url=escape(session.cancel_url),
        )
        return web.Response(text=page, content_type="text/html")

    async def act(self, request: web.Request) -> web.Response:
        session = self._find(request)
        form = await posted(request)
        try:
            if form.get("act") == "pay_later":
                self._account.pay_later(session.id)
            else:
                self._account.pay(session.id)
        except StripeError as error:
            return web.Response(status=error.status, text=error.message)
        raise web.HTTPSeeOther(session.success_url.replace(SESSION_ID, session.id))

    def _find(self, request: web.Request) -> Session:
        session = self._account.books.sessions.get(request.match_info["id"])
        if session is None:
            raise web.HTTPNotFound(text=HTTPStatus.NOT_FOUND.phrase)
        return session


def _what(session: Session) -> str:
    if session.mode == "subscription":
        return f"A subscription to {session.price_id}"
    return f"{session.amount} {session.currency} in its smallest unit"
