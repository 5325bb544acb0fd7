"""The pages where a customer approves what they pay."""

from collections.abc import Callable
from html import escape

from aiohttp import web
from aiohttp.typedefs import Handler

from dev.simulators.given import posted
from dev.simulators.paypal.account import Account
from dev.simulators.paypal.errors import PayPalError

PAGE = """\
<!doctype html>
<title>PayPal, simulated</title>
<h1>PayPal, simulated</h1>
<p>{what}</p>
<form method="post">
<button name="decision" value="approve">Approve</button>
<button name="decision" value="cancel">Cancel</button>
</form>
"""


class Pages:
    """One for orders, one for subscriptions."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        order, subscription = "/checkoutnow", "/webapps/billing/subscriptions"
        return [
            web.get(order, self._show_order),
            web.post(order, self._decide_order),
            web.get(subscription, self._show_subscription),
            web.post(subscription, self._decide_subscription),
        ]

    async def _show_order(self, request: web.Request) -> web.Response:
        order = self._account.order(request.query.get("token", ""))
        return _page(f"Pay {order.amount} {order.currency}: {order.status.lower()}")

    async def _decide_order(self, request: web.Request) -> web.Response:
        order = self._account.order(request.query.get("token", ""))
        back = f"token={order.order_id}&PayerID={order.payer_id}"
        return await _decide(
            request,
            lambda: self._account.approve_order(order.order_id),
            _with(order.return_url, back),
            _with(order.cancel_url, f"token={order.order_id}"),
        )

    async def _show_subscription(self, request: web.Request) -> web.Response:
        subscription = self._account.subscription(request.query.get("ba_token", ""))
        price = f"{subscription.amount} {subscription.currency}"
        return _page(f"Subscribe to {subscription.plan_id} for {price} each period")

    async def _decide_subscription(self, request: web.Request) -> web.Response:
        subscription = self._account.subscription(request.query.get("ba_token", ""))
        back = f"subscription_id={subscription.subscription_id}"
        return await _decide(
            request,
            lambda: self._account.approve_subscription(subscription.subscription_id),
            _with(subscription.return_url, back),
            _with(subscription.cancel_url, back),
        )


async def _decide(
    request: web.Request, approve: Callable[[], object], return_url: str, cancel_url: str
) -> web.Response:
    form = await posted(request)
    if form.get("decision") != "approve":
        raise web.HTTPSeeOther(cancel_url)
    approve()
    raise web.HTTPSeeOther(return_url)


@web.middleware
async def show_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells a customer what cannot be paid, or is not there."""
    try:
        return await handler(request)
    except PayPalError as error:
        return web.Response(status=error.status, text=str(error))


def _page(what: str) -> web.Response:
    return web.Response(text=PAGE.format(what=escape(what)), content_type="text/html")


def _with(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"
