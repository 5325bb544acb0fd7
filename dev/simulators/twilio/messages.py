"""Messages of Twilio's accounts, and what becomes of them when their account is suspended."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from dev.simulators.twilio.accounts import Accounts, AccountStatus
from dev.simulators.twilio.belongings import Belongings
from dev.simulators.twilio.errors import (
    MESSAGE_IS_EMPTY,
    NO_MESSAGING_SERVICE,
    NO_RECIPIENT,
    NO_SENDER,
    NOT_SCHEDULED,
    error,
    invalid,
)

SUSPENDED_BEFORE_SENT = 30002


class MessageStatus(StrEnum):
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"


NOT_SENT_YET = {MessageStatus.ACCEPTED, MessageStatus.SCHEDULED, MessageStatus.QUEUED}


@dataclass(frozen=True)
class Message:
    sid: str
    account_sid: str
    to: str
    sender: str | None
    messaging_service_sid: str | None
    body: str
    status: MessageStatus
    created_at: datetime
    updated_at: datetime
    send_at: datetime | None = None
    sent_at: datetime | None = None
    error_code: int | None = None


class Messages:
    """They stay queued until somebody lets them go on; a scheduled one is sent at its time."""

    def __init__(
        self,
        accounts: Accounts,
        known: Iterable[Message],
        now: Callable[[], datetime],
        keep: Callable[[Message], None],
    ) -> None:
        """`keep` is told every message that is new or changed."""
        self._accounts = accounts
        self._now = now
        self._waiting: defaultdict[str, set[str]] = defaultdict(set)
        self._all = Belongings(known := list(known), keep)
        for message in known:
            self._watch(message)

    def create(self, account_sid: str, fields: Mapping[str, str]) -> Message:
        self._accounts.require_active(account_sid)
        send_at = _send_at(fields)
        _require_what_twilio_requires(fields)
        now = self._now()
        status = MessageStatus.SCHEDULED if send_at else MessageStatus.QUEUED
        message = Message(
            sid=f"SM{secrets.token_hex(16)}",
            account_sid=account_sid,
            to=fields["To"],
            sender=fields.get("From"),
            messaging_service_sid=fields.get("MessagingServiceSid"),
            body=fields.get("Body", ""),
            status=status if fields.get("From") or send_at else MessageStatus.ACCEPTED,
            created_at=now,
            updated_at=now,
            send_at=send_at,
        )
        return self._put(message)

    def get(self, account_sid: str, sid: str) -> Message:
        self.settle(account_sid)
        return self._all.get(account_sid, sid)

    def newest_first(self, account_sid: str) -> list[Message]:
        self.settle(account_sid)
        return self._all.newest_first(account_sid)

    def update(self, account_sid: str, sid: str, status: str | None) -> Message:
        """What may be asked for through the API: that a scheduled one is not sent."""
        message = self.get(account_sid, sid)
        self._accounts.require_changeable(account_sid)
        if status != MessageStatus.CANCELED:
            raise invalid("Status")
        if message.status is not MessageStatus.SCHEDULED:
            raise error(NOT_SCHEDULED)
        return self._put(replace(message, status=MessageStatus.CANCELED))

    def set_status(self, sid: str, status: MessageStatus) -> Message:
        """How it goes on, at Twilio or at a carrier: no rule applies."""
        message = self._all.find(sid)
        is_sent = status in (MessageStatus.SENT, MessageStatus.DELIVERED)
        sent_at = message.sent_at or (self._now() if is_sent else None)
        return self._put(replace(message, status=status, sent_at=sent_at))

    def settle(self, account_sid: str) -> None:
        """Let happen what time and the account's status have brought about; the parent's: all's."""
        is_parent = account_sid == self._accounts.parent_sid
        for each in list(self._waiting) if is_parent else [account_sid]:
            self._settle_account(each)

    def clear(self) -> None:
        self._all.clear()
        self._waiting.clear()

    def _settle_account(self, account_sid: str) -> None:
        if not self._waiting.get(account_sid):
            return
        is_active = self._accounts.get(account_sid).status is AccountStatus.ACTIVE
        for sid in list(self._waiting[account_sid]):
            message = self._all.get(account_sid, sid)
            if message.send_at is not None and message.send_at > self._now():
                continue
            if not is_active:
                code = SUSPENDED_BEFORE_SENT
                self._put(replace(message, status=MessageStatus.FAILED, error_code=code))
            elif message.status is MessageStatus.SCHEDULED:
                self._put(replace(message, status=MessageStatus.SENT, sent_at=message.send_at))

    def _put(self, message: Message) -> Message:
        message = replace(message, updated_at=self._now())
        self._watch(message)
        return self._all.put(message)

    def _watch(self, message: Message) -> None:
        if message.status in NOT_SENT_YET:
            self._waiting[message.account_sid].add(message.sid)
        else:
            self._waiting[message.account_sid].discard(message.sid)


def _require_what_twilio_requires(fields: Mapping[str, str]) -> None:
    if not fields.get("To"):
        raise error(NO_RECIPIENT)
    if not fields.get("From") and not fields.get("MessagingServiceSid"):
        raise error(NO_SENDER)
    if not any(fields.get(name) for name in ("Body", "MediaUrl", "ContentSid")):
        raise error(MESSAGE_IS_EMPTY)


def _send_at(fields: Mapping[str, str]) -> datetime | None:
    if not fields.get("ScheduleType"):
        return None
    if not fields.get("MessagingServiceSid"):
        raise error(NO_MESSAGING_SERVICE)
    try:
        return datetime.fromisoformat(fields.get("SendAt", "")).astimezone(UTC)
    except (OverflowError, ValueError):
        raise invalid("SendAt") from None
