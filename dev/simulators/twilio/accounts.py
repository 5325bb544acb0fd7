"""Twilio's accounts, and the rules by which their parent may change them."""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from dev.simulators.twilio.errors import TwilioError, not_found

SID_PATTERN = re.compile(r"AC[0-9a-fA-F]{32}")


class AccountStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@dataclass(frozen=True)
class Account:
    sid: str
    status: AccountStatus
    friendly_name: str
    auth_token: str
    created_at: datetime
    updated_at: datetime


class Accounts:
    """One parent and its subaccounts; each exists, and is active, from the first look at it."""

    def __init__(
        self,
        parent_sid: str,
        known: Iterable[Account],
        now: Callable[[], datetime],
    ) -> None:
        self.parent_sid = parent_sid
        self._accounts = {account.sid: account for account in known}
        self._now = now

    def get(self, sid: str) -> Account:
        if not SID_PATTERN.fullmatch(sid):
            raise not_found(account_path(sid))
        if sid not in self._accounts:
            self._accounts[sid] = self._new_account(sid)
        return self._accounts[sid]

    def update(self, sid: str, status: str | None, friendly_name: str | None) -> Account:
        """What the parent asks for through the API; None leaves a field as it is."""
        account = self.get(sid)
        if status is not None:
            account = replace(account, status=self._allowed_status(account, status))
        if friendly_name is not None:
            account = replace(account, friendly_name=friendly_name)
        return self._keep_if_changed(account)

    def set_status(self, sid: str, status: AccountStatus) -> Account:
        """What somebody does in Twilio's console, or Twilio itself: no rule applies."""
        return self._keep_if_changed(replace(self.get(sid), status=status))

    def all(self) -> list[Account]:
        return list(self._accounts.values())

    def forget_all(self) -> None:
        self._accounts.clear()

    def _allowed_status(self, account: Account, status: str) -> AccountStatus:
        if status not in list(AccountStatus):
            raise _refused(21475, "Unable to update Status, invalid Status.")
        if account.sid == self.parent_sid:
            raise _refused(21477, "Unable to update Status for parent accounts.")
        if account.status is AccountStatus.CLOSED and status != AccountStatus.CLOSED:
            raise _refused(
                21479,
                "Unable to update Status for subaccount, "
                "subaccount is closed and can not be re-opened.",
            )
        return AccountStatus(status)

    def _keep_if_changed(self, account: Account) -> Account:
        if account != self._accounts[account.sid]:
            self._accounts[account.sid] = replace(account, updated_at=self._now())
        return self._accounts[account.sid]

    def _new_account(self, sid: str) -> Account:
        now = self._now()
        is_parent = sid == self.parent_sid
        return Account(
            sid=sid,
            status=AccountStatus.ACTIVE,
            friendly_name="Parent" if is_parent else f"SubAccount Created at {now:%Y-%m-%d %H:%M}",
            auth_token=secrets.token_hex(16),
            created_at=now,
            updated_at=now,
        )


def account_path(sid: str) -> str:
    return f"/2010-04-01/Accounts/{sid}.json"


def _refused(code: int, message: str) -> TwilioError:
    return TwilioError(code, HTTPStatus.BAD_REQUEST, message)
