"""The wait for a call's message: it ends in time, for whoever waits too long and nobody else."""

import asyncio

import pytest

from libs.errors import InvalidArgumentError
from libs.rpc import messages
from libs.rpc.messages import Messages
from tests.support.waiting import let_time_pass

SECONDS_MAX = 0.2


class Line:
    """A call whose message comes when it is told to."""

    def __init__(self) -> None:
        self.message = asyncio.get_running_loop().create_future()

    async def read(self) -> object:
        return await self.message


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MESSAGE_SECONDS_MAX", SECONDS_MAX)


async def test_each_message_has_its_own_time() -> None:
    reader, ends = Messages(), list[float]()
    loop = asyncio.get_running_loop()

    async def wait_in_vain() -> None:
        start = loop.time()
        with pytest.raises(InvalidArgumentError, match=r"has not come in 0\.2 s"):
            await reader.read(Line())
        ends.append(loop.time() - start)

    first = asyncio.create_task(wait_in_vain())
    await let_time_pass(SECONDS_MAX / 2)
    await asyncio.gather(first, wait_in_vain())
    await wait_in_vain()
    assert all(seconds >= SECONDS_MAX for seconds in ends)


async def test_who_has_its_message_is_not_ended_later() -> None:
    reader, line = Messages(), Line()
    line.message.set_result(b"all of it")
    assert await reader.read(line) == b"all of it"
    await let_time_pass(SECONDS_MAX * 1.5)


async def test_a_call_that_its_client_gives_up_is_cancelled() -> None:
    waiting = asyncio.create_task(Messages().read(Line()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
