"""Every command of the runbook, in the state that its section is about; and the console's word."""

import pytest

from tests.support.grpcurl import needs_grpcurl
from tests.support.runbook.document import Section, read_sections
from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State, nothing
from tests.support.runbook.states import STATES
from tests.support.waiting import eventually
from tollgate.operator_console.v1.diagnosis_pb2 import Finding

pytestmark = [needs_grpcurl, pytest.mark.long]

WITH_COMMANDS = [section for section in read_sections() if section.blocks]
NAMES = [section.anchors[0] for section in WITH_COMMANDS]


@pytest.mark.parametrize("section", WITH_COMMANDS, ids=NAMES)
async def test_the_commands_of_a_section_end_what_it_is_about(site: Site, section: Section) -> None:
    name = section.anchors[0]
    state = STATES[name]
    customer = await open_for(site, state, name)
    if state.finding and state.step_heals:
        async with state.make(site, customer) as situation:
            await require_right_step(site, customer, state, situation)
            await require_over(site, customer, state, situation)
    async with state.make(site, customer) as situation:
        await require_found(site, customer, state, situation)
        for number, block in enumerate(section.blocks):
            await situation.before.get(number, nothing)()
            await site.paste(block, {**customer.words, **situation.words})
        if state.looks:
            await situation.ends_by()
        await require_over(site, customer, state, situation)
    if state.alert and not state.alert_lasts:
        await eventually(lambda: codes_of(site), lambda codes: state.alert not in codes)


async def open_for(site: Site, state: State, name: str) -> Customer:
    return await site.open_customer(name) if state.sends else site.subscribe(name)


async def require_found(site: Site, customer: Customer, state: State, situation: Situation) -> None:
    if state.alert:
        await eventually(lambda: codes_of(site), lambda codes: state.alert in codes)
    if state.finding and state.step_heals:
        await reach_finding(site, customer, state)
    elif state.finding:
        await require_right_step(site, customer, state, situation)


async def codes_of(site: Site) -> list[str]:
    return [each.code for each in await site.findings()]


async def reach_finding(site: Site, customer: Customer, state: State) -> Finding:
    [finding, *_] = await site.reach(
        customer.organization_id, lambda codes: codes[:1] == [state.finding]
    )
    return finding


async def require_right_step(
    site: Site, customer: Customer, state: State, situation: Situation
) -> None:
    step = (await reach_finding(site, customer, state)).next_step
    await situation.before_step()
    ran = await site.run(step)
    assert ran.code == 0, f"{step}\n{ran.printed}"
    assert ran.shows(state.shows), f"{step}\n{ran.printed}"


async def require_over(site: Site, customer: Customer, state: State, situation: Situation) -> None:
    await eventually(lambda: state.left(site, customer), lambda left: not left)
    await situation.tidy()
