"""What Twilio answers: the shape of each thing that it has."""

from datetime import datetime
from email.utils import format_datetime
from typing import Any

from dev.simulators.twilio.accounts import Account, account_path

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


def account_body(account: Account, parent_sid: str) -> dict[str, Any]:
    path = account_path(account.sid)
    folder = path.removesuffix(".json")
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
        "uri": path,
    }


def _written(time: datetime) -> str:
    return format_datetime(time)
