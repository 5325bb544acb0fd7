"""The tokens of lists of what providers have: events, payments and subscriptions, newest first."""

from libs.paging import decode_page_token, encode_page_token, key_to_time, time_to_key
from services.billing_gateway.domain.values import NEWEST, Place


def encode_place(place: Place) -> str:
    """Return the token that continues after what stands there."""
    assert place.time is not None, "nothing stands before the newest"
    return encode_page_token(time_to_key(place.time), place.provider, place.object_id)


def decode_place(token: str) -> Place:
    """Return where a page begins."""
    key = decode_page_token(token, int, str, str)
    if key is None:
        return NEWEST
    micros, provider, object_id = key
    return Place(key_to_time(int(micros)), str(provider), str(object_id))
