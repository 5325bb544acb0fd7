"""Reads PayPal's JSON with distrust: the envelope of an event, and what v1 and v2 name apart."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.ids import ID
from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.paypal.times import first_time
from services.billing_gateway.ports import EventIdentity
from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_list,
    get_object,
    optional_id,
    optional_word,
    parse_object,
    required_id,
)

EVENT_TYPE = re.compile(r"[A-Z0-9_.-]{1,100}")
PROVEN_CLAIM = re.compile(r"(.*):([0-9a-f]{32}):([0-9a-f]{32})")
CUSTOM_ID_LENGTH_MAX = 127


@dataclass(frozen=True, slots=True)
class PayPalEvent:
    """The envelope of an event, and the object that it is about."""

    event_id: str
    event_type: str
    create_time: datetime | None
    receive_time: datetime
    resource: JsonObject
    links: Sequence[JsonObject]

    @property
    def time(self) -> datetime:
        """Return when it happened, or at the latest did."""
        return self.create_time or self.receive_time


def read_identity(envelope: JsonObject) -> EventIdentity:
    """Return an event's id and type; raise UnreadableError if it is none."""
    event_type = envelope.get("event_type")
    if not isinstance(event_type, str) or not EVENT_TYPE.fullmatch(event_type):
        raise UnreadableError("the event has no type")
    return EventIdentity(required_id(envelope, "id"), event_type)


def parse_event(body: bytes, receive_time: datetime) -> PayPalEvent:
    """Return the event; raise UnreadableError for anything else."""
    envelope = parse_object(body)
    identity = read_identity(envelope)
    return PayPalEvent(
        event_id=identity.event_id,
        event_type=identity.event_type,
        create_time=first_time(envelope, ["create_time"]),
        receive_time=receive_time,
        resource=get_object(envelope, "resource"),
        links=get_list(envelope, "links"),
    )


def linked_id(resource: JsonObject, rel: str, folder: str) -> str:
    """Return the id at the end of a link into a folder of the API; empty if there is none."""
    for link in get_list(resource, "links"):
        parts = read_address(link).split("/")
        if link.get("rel") == rel and parts[-2:-1] == [folder] and ID.fullmatch(parts[-1]):
            return parts[-1]
    return ""


def read_address(link: JsonObject) -> str:
    """Return where a link leads; empty if it does not say."""
    address = link.get("href")
    return address if isinstance(address, str) else ""


def read_status(value: JsonObject) -> str:
    """Return the state's name in v2's letters; v1 calls it `state` and writes it in others."""
    return (optional_word(value, "status") or optional_word(value, "state")).upper()


def read_claim(resource: JsonObject) -> Claim | None:
    """Return whose an object says that it is: what was written on it when it was made."""
    text = resource.get("custom_id", resource.get("custom"))
    if not isinstance(text, str):
        return None
    proven = PROVEN_CLAIM.fullmatch(text)
    organization_id, intent_id, proof = proven.groups() if proven else (text, "", "")
    return Claim(organization_id, intent_id, proof) if ID.fullmatch(organization_id) else None


def write_claim(claim: Claim) -> str | None:
    """Return what is written on an object that we make; None where it does not fit.

    Cut short it would name somebody else.
    """
    text = claim.organization_id
    if claim.proof:
        text = f"{text}:{claim.intent_id}:{claim.proof}"
    return text if len(text) <= CUSTOM_ID_LENGTH_MAX else None


def first_id(value: JsonObject, names: Sequence[str]) -> str:
    """Return the first of these that is an id; empty if none is."""
    return next(filter(None, (optional_id(value, name) for name in names)), "")
