"""What Twilio answers: the shape of each thing that it has."""

from datetime import datetime
from email.utils import format_datetime
from typing import Any

from dev.simulators.twilio.accounts import Account, account_path
from dev.simulators.twilio.calls import Call
from dev.simulators.twilio.messages import SUSPENDED_BEFORE_SENT, Message

API_VERSION = "2010-04-01"
SUBRESOURCES = {
    "addresses": "Addresses",
    "applications": "Applications",
    "authorized_connect_apps": "AuthorizedConnectApps",
    "available_phone_numbers": "AvailablePhoneNumbers",
    "balance": "Balance",
    "calls": "Calls",
    "conferences": "Conferences",
    "connect_apps": "ConnectApps",
    "incoming_phone_numbers": "IncomingPhoneNumbers",
    "keys": "Keys",
    "messages": "Messages",
    "notifications": "Notifications",
    "outgoing_caller_ids": "OutgoingCallerIds",
    "queues": "Queues",
    "recordings": "Recordings",
    "short_codes": "SMS/ShortCodes",
    "signing_keys": "SigningKeys",
    "sip": "SIP",
    "transcriptions": "Transcriptions",
    "usage": "Usage",
}

CALL_SUBRESOURCES = {
    "events": "Events",
    "notifications": "Notifications",
    "payments": "Payments",
    "recordings": "Recordings",
    "siprec": "Siprec",
    "streams": "Streams",
    "transcriptions": "Transcriptions",
    "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
    "user_defined_messages": "UserDefinedMessages",
}


def account_body(account: Account, parent_sid: str) -> dict[str, Any]:
    folder = _folder(account.sid)
    return {
        "auth_token": account.auth_token,
        "date_created": _written(account.created_at),
        "date_updated": _written(account.updated_at),
        "friendly_name": account.friendly_name,
        "owner_account_sid": parent_sid,
        "sid": account.sid,
        "status": account.status,
        "subresource_uris": {
            name: f"{folder}/{resource}.json" for name, resource in SUBRESOURCES.items()
        },
        "type": "Full",
        "uri": f"{folder}.json",
    }


def message_body(message: Message) -> dict[str, Any]:
    folder = f"{_folder(message.account_sid)}/Messages/{message.sid}"
    has_failed = message.error_code == SUSPENDED_BEFORE_SENT
    return {
        "account_sid": message.account_sid,
        "api_version": API_VERSION,
        "body": message.body,
        "date_created": _written(message.created_at),
        "date_sent": _written(message.sent_at),
        "date_updated": _written(message.updated_at),
        "direction": "outbound-api",
        "error_code": message.error_code,
        "error_message": "Account suspended" if has_failed else None,
        "from": message.sender,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{folder}/Media.json"},
        "to": message.to,
        "uri": f"{folder}.json",
    }


def call_body(call: Call) -> dict[str, Any]:
    folder = f"{_folder(call.account_sid)}/Calls/{call.sid}"
    return {
        "account_sid": call.account_sid,
        "answered_by": None,
        "api_version": API_VERSION,
        "caller_name": None,
        "date_created": _written(call.created_at),
        "date_updated": _written(call.updated_at),
        "direction": call.direction,
        "duration": _duration(call),
        "end_time": _written(call.end_time),
        "forwarded_from": None,
        "from": call.caller,
        "from_formatted": call.caller,
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": call.sid,
        "start_time": _written(call.start_time),
        "status": call.status,
        "subresource_uris": {
            name: f"{folder}/{resource}.json" for name, resource in CALL_SUBRESOURCES.items()
        },
        "to": call.to,
        "to_formatted": call.to,
        "trunk_sid": None,
        "uri": f"{folder}.json",
    }


def _folder(account_sid: str) -> str:
    return account_path(account_sid).removesuffix(".json")


def _duration(call: Call) -> str | None:
    if call.start_time is None or call.end_time is None:
        return None
    return str(int((call.end_time - call.start_time).total_seconds()))


def _written(time: datetime | None) -> str | None:
    return None if time is None else format_datetime(time)
