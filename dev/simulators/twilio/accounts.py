"""Twilio's accounts, and the rules by which their parent may change them."""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dev.simulators.twilio.errors import (
    ACCOUNT_NOT_ACTIVE,
    INVALID_STATUS,
    IS_CLOSED,
    IS_THE_PARENT,
    PARENT_IS_SUSPENDED,
    SUSPENDED_BY_TWILIO,
    TOO_MANY_SUBACCOUNTS,
    error,
    invalid,
    not_found,
)
from dev.simulators.twilio.rules import Rules

SID_PATTERN = re.compile(r"AC[0-9a-fA-F]{32}")
FRIENDLY_NAME_LENGTH_MAX = 64


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
    suspended_by_twilio: bool = False


class Accounts:
    """One parent and its subaccounts."""

    def __init__(
        self,
        parent_sid: str,
        known: Iterable[Account],
        now: Callable[[], datetime],
        keep: Callable[[Account], None],
    ) -> None:
        """`keep` is told every account that is new or changed."""
        self.parent_sid = parent_sid
        self.rules = Rules()
        self._accounts = {account.sid: account for account in known}
        self._now = now
        self._keep = keep

    def get(self, sid: str) -> Account:
        """As Twilio shows it: where the parent is suspended, everybody is."""
        account, parent = self._find(sid), self._find(self.parent_sid)
        if account.status is AccountStatus.ACTIVE and parent.status is not AccountStatus.ACTIVE:
            return replace(account, status=parent.status)
        return account

    def require_active(self, sid: str) -> None:
        if self.get(sid).status is not AccountStatus.ACTIVE:
            raise error(ACCOUNT_NOT_ACTIVE)

    def require_changeable(self, sid: str) -> None:
        """Whether what the account has may be ended or canceled."""
        if not self.rules.updates_while_suspended:
            self.require_active(sid)

    def create(self, friendly_name: str | None) -> Account:
        """Opens a subaccount, as the parent asks through the API."""
        self.require_active(self.parent_sid)
        if self.rules.subaccounts_max is not None:
            open_count = sum(
                each.status is not AccountStatus.CLOSED for each in self._accounts.values()
            )
            if open_count > self.rules.subaccounts_max:  # one of them is the parent
                raise error(TOO_MANY_SUBACCOUNTS)
        return self._open(f"AC{secrets.token_hex(16)}", _checked_name(friendly_name))

    def update(self, sid: str, status: str | None, friendly_name: str | None) -> Account:
        """What the parent asks for through the API; None leaves a field as it is."""
        account = self._find(sid)
        if status is not None:
            account = replace(account, status=self._allowed_status(account, status))
        if friendly_name is not None:
            account = replace(account, friendly_name=_checked_name(friendly_name) or "")
        return self._keep_if_changed(account)

    def set_status(self, sid: str, status: AccountStatus, *, by_twilio: bool = False) -> Account:
        """What somebody does in Twilio's console, or Twilio itself: no rule applies."""
        suspended_by_twilio = by_twilio and status is AccountStatus.SUSPENDED
        account = self._find(sid)
        return self._keep_if_changed(
            replace(account, status=status, suspended_by_twilio=suspended_by_twilio)
        )

    def newest_first(self) -> list[Account]:
        self._find(self.parent_sid)
        return [self.get(sid) for sid in reversed(list(self._accounts))]

    def forget_all(self) -> None:
        self._accounts.clear()
        self.rules = Rules()

    def _allowed_status(self, account: Account, status: str) -> AccountStatus:
        if status not in list(AccountStatus):
            raise error(INVALID_STATUS)
        if account.sid == self.parent_sid:
            raise error(IS_THE_PARENT)
        if self._find(self.parent_sid).status is not AccountStatus.ACTIVE:
            raise error(PARENT_IS_SUSPENDED)
        if status != account.status:
            if account.status is AccountStatus.CLOSED:
                raise error(IS_CLOSED)
            if account.suspended_by_twilio:
                raise error(SUSPENDED_BY_TWILIO)
        return AccountStatus(status)

    def _find(self, sid: str) -> Account:
        if sid in self._accounts:
            return self._accounts[sid]
        exists = self.rules.any_subaccount_exists or sid == self.parent_sid
        if not exists or not SID_PATTERN.fullmatch(sid):
            raise not_found(account_path(sid))
        return self._open(sid, "Parent" if sid == self.parent_sid else None)

    def _open(self, sid: str, friendly_name: str | None) -> Account:
        now = self._now()
        self._accounts[sid] = Account(
            sid=sid,
            status=AccountStatus.ACTIVE,
            friendly_name=friendly_name or f"SubAccount Created at {now:%Y-%m-%d %H:%M}",
            auth_token=secrets.token_hex(16),
            created_at=now,
            updated_at=now,
        )
        self._keep(self._accounts[sid])
        return self._accounts[sid]

    def _keep_if_changed(self, account: Account) -> Account:
        if account != self._accounts[account.sid]:
            self._accounts[account.sid] = replace(account, updated_at=self._now())
            self._keep(self._accounts[account.sid])
        return self.get(account.sid)


def account_path(sid: str) -> str:
    return f"/2010-04-01/Accounts/{sid}.json"


def _checked_name(friendly_name: str | None) -> str | None:
    if friendly_name is not None and len(friendly_name) > FRIENDLY_NAME_LENGTH_MAX:
        raise invalid("FriendlyName")
    return friendly_name
