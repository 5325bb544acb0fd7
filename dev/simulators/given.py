"""What simulators are given from outside, as they can use it."""

from typing import Annotated

from aiohttp import web
from multidict import MultiDictProxy
from pydantic import AfterValidator
from yarl import URL

Posted = MultiDictProxy[str | bytes | bytearray | web.FileField]


def _address(text: str) -> str:
    if not URL(text).host:
        raise ValueError("is no address that a browser can be sent to")
    return text


Address = Annotated[str, AfterValidator(_address)]


async def posted(request: web.Request) -> Posted:
    """The form that was sent, however it is written."""
    try:
        return await request.post()
    except (ValueError, LookupError) as error:
        raise web.HTTPBadRequest(text="This form cannot be read.") from error
