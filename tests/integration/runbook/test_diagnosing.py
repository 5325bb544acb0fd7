"""What the console says of an organization that is well, and while somebody does not answer."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.runbook.conftest import ANSWER_SECONDS_MAX
from tests.support.grpcurl import needs_grpcurl
from tests.support.runbook.document import read_sections
from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import anything
from tests.support.runbook.states.events import paid_for_unlinked
from tests.support.stack import SERVICES
from tests.support.waiting import eventually

# All that is asked is asked at once.
A_LITTLE_SECONDS = 1.0
Act = Callable[[Site, str], Awaitable[None]]


@pytest.fixture(scope="module")
def behind_doors() -> tuple[str, ...]:
    """Everybody's database can be away."""
    return SERVICES


async def stop(site: Site, service: str) -> None:
    await site.stack.stop(service)


async def start(site: Site, service: str) -> None:
    await site.stack.start(service)


async def shut(site: Site, service: str) -> None:
    await site.doors[service].shut()


async def hang(site: Site, service: str) -> None:
    await site.doors[service].hang()


async def open_door(site: Site, service: str) -> None:
    await site.doors[service].open()
    await site.require_health(service, "SERVING")


async def test_an_organization_that_sends_has_no_finding(site: Site) -> None:
    customer = await site.open_customer("well")
    await eventually(lambda: anything(site, customer), lambda left: left == [])
    answer = await site.diagnose(customer.organization_id)
    assert answer.can_send
    assert answer.seen.wallet.balance_micros > 0
    assert {line.service for line in answer.timeline} >= set(SERVICES)


WAYS = {
    "stopped": (SERVICES, "SERVICE_DOWN", stop, start),
    "database shut": (SERVICES, "DATABASE_DOWN", shut, open_door),
}


@pytest.mark.parametrize(
    ("service", "way"), [(service, way) for way in WAYS for service in WAYS[way][0]]
)
async def test_who_does_not_answer_is_named_first_and_holds_nobody_up(
    site: Site, service: str, way: str
) -> None:
    _, code, breaks, mends = WAYS[way]
    customer = await site.open_customer("unheard")
    await breaks(site, service)
    try:
        await require_quick_answer(site, customer, service)
        await site.reach(customer.organization_id, lambda codes: codes[:1] == [code])
        await require_quick_answer(site, customer, service)
        [finding, *_] = await site.findings()
        assert (finding.code, finding.what.partition(":")[0]) == (code, service)
    finally:
        await mends(site, service)
    await eventually(lambda: anything(site, customer), lambda left: left == [])


async def test_a_database_that_says_nothing_holds_nobody_up(site: Site) -> None:
    customer = await site.open_customer("unheard")
    await site.doors["campaign"].hang()
    try:
        await require_quick_answer(site, customer, "campaign")
    finally:
        await open_door(site, "campaign")


async def test_a_process_that_hangs_holds_nobody_up(site: Site) -> None:
    customer = await site.open_customer("unheard")
    await site.stack.stop("campaign")
    host, _, port = site.stack.addresses["campaign"].rpartition(":")
    async with await asyncio.start_server(never_answer, host, int(port)) as hanging:
        await require_quick_answer(site, customer, "campaign")
        hanging.close()
    await site.stack.start("campaign")
    await eventually(lambda: anything(site, customer), lambda left: left == [])


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def require_quick_answer(site: Site, customer: Customer, silent: str) -> None:
    begin = time.monotonic()
    answer = await site.diagnose(customer.organization_id)
    assert time.monotonic() - begin < ANSWER_SECONDS_MAX + A_LITTLE_SECONDS
    assert answer.findings[0].what.startswith(f"{silent}: ")
    assert not answer.can_send


@needs_grpcurl
async def test_an_event_of_what_nobody_has_linked_is_named_first(site: Site) -> None:
    customer = await site.open_customer("unlinked")
    async with paid_for_unlinked(site, customer) as situation:
        [finding, *_] = await site.reach(
            customer.organization_id, lambda codes: codes[:1] == ["EVENT_PARKED"]
        )
        ran = await site.run(finding.next_step)
        assert (ran.code, ran.shows('"provider_object_ids"')) == (0, True)
        await situation.ends_by()
        await eventually(lambda: anything(site, customer), lambda left: left == [])


@needs_grpcurl
async def test_a_next_step_is_pasted_as_it_is_printed(site: Site) -> None:
    [start] = [section for section in read_sections() if "start-here" in section.anchors]
    asked = await site.paste(start.blocks[0], {"org-1": "nobody"})
    found = re.search(r'"next_step": "(.*)"', asked.printed)
    assert found
    ran = await site.run(found[1])
    assert ran.code == 0, ran.printed
