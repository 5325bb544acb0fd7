"""Calls of Twilio's accounts: a suspension lets no new one begin, and ends none."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dev.simulators.twilio.accounts import Accounts, AccountStatus
from dev.simulators.twilio.belongings import Belongings
from dev.simulators.twilio.errors import (
    CALL_HAS_ENDED,
    CALL_REJECTED,
    NO_CALLEE,
    NO_CALLER,
    NO_INSTRUCTIONS,
    error,
    invalid,
)


class CallStatus(StrEnum):
    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


NOT_ANSWERED_YET = (CallStatus.QUEUED, CallStatus.RINGING)


@dataclass(frozen=True)
class Call:
    sid: str
    account_sid: str
    to: str
    caller: str
    direction: str
    status: CallStatus
    created_at: datetime
    updated_at: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None


class Calls:
    """They stay as they are until somebody lets them go on."""

    def __init__(
        self,
        accounts: Accounts,
        known: Iterable[Call],
        now: Callable[[], datetime],
        keep: Callable[[Call], None],
    ) -> None:
        """`keep` is told every call that is new or changed."""
        self._accounts = accounts
        self._now = now
        self._all = Belongings(known, keep)

    def create(self, account_sid: str, fields: Mapping[str, str]) -> Call:
        self._accounts.require_active(account_sid)
        for name, code in (("To", NO_CALLEE), ("From", NO_CALLER)):
            if not fields.get(name):
                raise error(code)
        if not any(fields.get(name) for name in ("Url", "Twiml", "ApplicationSid")):
            raise error(NO_INSTRUCTIONS)
        return self._open(
            account_sid, fields["To"], fields["From"], "outbound-api", CallStatus.QUEUED
        )

    def receive(self, account_sid: str, caller: str, to: str) -> Call:
        """Somebody calls a number of the account, and is answered."""
        if self._accounts.get(account_sid).status is not AccountStatus.ACTIVE:
            raise error(CALL_REJECTED)
        return self._open(account_sid, to, caller, "inbound", CallStatus.IN_PROGRESS)

    def get(self, account_sid: str, sid: str) -> Call:
        return self._all.get(account_sid, sid)

    def newest_first(self, account_sid: str) -> list[Call]:
        return self._all.newest_first(account_sid)

    def update(self, account_sid: str, sid: str, status: str | None) -> Call:
        """What may be asked for through the API; without a status it is other instructions."""
        call = self.get(account_sid, sid)
        self._accounts.require_changeable(account_sid)
        if status not in (None, CallStatus.COMPLETED, CallStatus.CANCELED):
            raise invalid("Status")
        if call.status in NOT_ANSWERED_YET and status is not None:
            return self._put(call, CallStatus.CANCELED)
        if call.status is not CallStatus.IN_PROGRESS:
            raise error(CALL_HAS_ENDED)
        # Cancelling is for calls that nobody has answered yet; it does not end one.
        is_ended = status == CallStatus.COMPLETED
        return self._put(call, CallStatus.COMPLETED) if is_ended else call

    def set_status(self, sid: str, status: CallStatus) -> Call:
        """What the callers do, or a carrier: no rule applies."""
        return self._put(self._all.find(sid), status)

    def clear(self) -> None:
        self._all.clear()

    def _open(
        self, account_sid: str, to: str, caller: str, direction: str, status: CallStatus
    ) -> Call:
        now = self._now()
        sid = f"CA{secrets.token_hex(16)}"
        return self._put(Call(sid, account_sid, to, caller, direction, status, now, now), status)

    def _put(self, call: Call, status: CallStatus) -> Call:
        now = self._now()
        is_answered = status in (CallStatus.IN_PROGRESS, CallStatus.COMPLETED)
        has_ended = status not in (*NOT_ANSWERED_YET, CallStatus.IN_PROGRESS)
        return self._all.put(
            replace(
                call,
                status=status,
                updated_at=now,
                start_time=call.start_time or (now if is_answered else None),
                end_time=now if has_ended else None,
            )
        )
