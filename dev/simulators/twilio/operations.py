"""What can be asked of Twilio, by the names that Twilio itself gives it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs

from dev.simulators.twilio.accounts import Account
from dev.simulators.twilio.errors import invalid
from dev.simulators.twilio.paging import ListedT, Page
from dev.simulators.twilio.shapes import account_body, call_body, message_body
from dev.simulators.twilio.state import SimulatorState

OK, CREATED = HTTPStatus.OK, HTTPStatus.CREATED
UPDATE_ACCOUNT = "update_account"


@dataclass(frozen=True)
class Asked:
    """A request, as far as it decides what is answered."""

    path: str
    # The account that it is about; the parent, where it is about all of them.
    account_sid: str
    # What of that account's; empty, if it is the account itself.
    sid: str
    # A form or a query.
    fields: Mapping[str, str]


Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """One of them, where it is asked for, and what it does."""

    name: str
    method: str
    path: str
    handle: Callable[[Asked], Answer]


class Operations:
    """On accounts, and on what they have."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    def all(self) -> list[Operation]:
        get, post = hdrs.METH_GET, hdrs.METH_POST
        accounts = "/2010-04-01/Accounts"
        account = f"{accounts}/{{account_sid}}"
        messages, calls = f"{account}/Messages", f"{account}/Calls"
        return [
            Operation("create_account", post, f"{accounts}.json", self._create_account),
            Operation("list_account", get, f"{accounts}.json", self._list_account),
            Operation("fetch_account", get, f"{account}.json", self._fetch_account),
            Operation(UPDATE_ACCOUNT, post, f"{account}.json", self._update_account),
            Operation("create_message", post, f"{messages}.json", self._create_message),
            Operation("list_message", get, f"{messages}.json", self._list_message),
            Operation("fetch_message", get, f"{messages}/{{sid}}.json", self._fetch_message),
            Operation("update_message", post, f"{messages}/{{sid}}.json", self._update_message),
            Operation("create_call", post, f"{calls}.json", self._create_call),
            Operation("list_call", get, f"{calls}.json", self._list_call),
            Operation("fetch_call", get, f"{calls}/{{sid}}.json", self._fetch_call),
            Operation("update_call", post, f"{calls}/{{sid}}.json", self._update_call),
        ]

    def _create_account(self, asked: Asked) -> Answer:
        account = self._state.accounts.create(asked.fields.get("FriendlyName"))
        return CREATED, self._account_body(account)

    def _list_account(self, asked: Asked) -> Answer:
        filters = {"Status": "status", "FriendlyName": "friendly_name"}
        listed = self._state.accounts.newest_first()
        return _list("accounts", asked, listed, filters, self._account_body)

    def _fetch_account(self, asked: Asked) -> Answer:
        return OK, self._account_body(self._state.accounts.get(asked.account_sid))

    def _update_account(self, asked: Asked) -> Answer:
        status, friendly_name = asked.fields.get("Status"), asked.fields.get("FriendlyName")
        account = self._state.update_account(asked.account_sid, status, friendly_name)
        return OK, self._account_body(account)

    def _create_message(self, asked: Asked) -> Answer:
        message = self._state.messages.create(asked.account_sid, asked.fields)
        return CREATED, message_body(message)

    def _list_message(self, asked: Asked) -> Answer:
        listed = self._state.messages.newest_first(asked.account_sid)
        return _list("messages", asked, listed, {"To": "to", "From": "sender"}, message_body)

    def _fetch_message(self, asked: Asked) -> Answer:
        return OK, message_body(self._state.messages.get(asked.account_sid, asked.sid))

    def _update_message(self, asked: Asked) -> Answer:
        status = asked.fields.get("Status")
        message = self._state.messages.update(asked.account_sid, asked.sid, status)
        return OK, message_body(message)

    def _create_call(self, asked: Asked) -> Answer:
        return CREATED, call_body(self._state.calls.create(asked.account_sid, asked.fields))

    def _list_call(self, asked: Asked) -> Answer:
        filters = {"Status": "status", "To": "to", "From": "caller"}
        listed = self._state.calls.newest_first(asked.account_sid)
        return _list("calls", asked, listed, filters, call_body)

    def _fetch_call(self, asked: Asked) -> Answer:
        return OK, call_body(self._state.calls.get(asked.account_sid, asked.sid))

    def _update_call(self, asked: Asked) -> Answer:
        status = asked.fields.get("Status")
        return OK, call_body(self._state.calls.update(asked.account_sid, asked.sid, status))

    def _account_body(self, account: Account) -> dict[str, Any]:
        return account_body(account, self._state.accounts.parent_sid)


def _list(
    name: str,
    asked: Asked,
    listed: Sequence[ListedT],
    filters: Mapping[str, str],
    body: Callable[[ListedT], dict[str, Any]],
) -> Answer:
    """One page; a filter that is not simulated is refused, so that nobody trusts in it."""
    page = Page.read(asked.path, asked.fields)
    for unknown in page.filters.keys() - filters.keys():
        raise invalid(unknown)
    wanted = {filters[field]: value for field, value in page.filters.items()}
    shown, is_last = page.cut(
        listed, lambda each: all(getattr(each, field) == value for field, value in wanted.items())
    )
    return OK, {**page.body(shown, is_last=is_last), name: [body(each) for each in shown]}
