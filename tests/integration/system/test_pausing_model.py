"""Whatever happens to two services and to Twilio, all ends where the pure functions say.

Levels come in any order, doubled, late and with an end; operators command; Twilio fails, and does
late what it was asked; both services are killed and started again. Meanwhile somebody looks all
the time, and at rest the model knows how everything stands.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from dev.simulators.faults import (
    Fault,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from tests.conftest import MakeDatabase
from tests.integration.system.pausing_model.draws import (
    ACCOUNTS_EACH,
    BEGUN,
    BEGUN_CAMPAIGNS,
    CAMPAIGNS_EACH,
    ORGANIZATIONS,
    accounts,
    campaigns,
    failings,
    faults,
    news,
    often,
    organizations,
    services,
    subscription_level,
    wallet_level,
)
from tests.integration.system.pausing_model.organization import Level, OrganizationModel
from tests.integration.system.pausing_model.rest import come_to_rest
from tests.integration.system.pausing_model.site import (
    NAMES,
    Site,
)
from tests.integration.system.pausing_model.story import Story, sid_of
from tests.support.searching import FEW_EXAMPLES, SEARCH_TIMES
from tests.support.waiting import let_time_pass

EXAMPLES = max(2, FEW_EXAMPLES // 3)
STEPS = 100
PACE_SECONDS = 0.015
ANSWER_SECONDS_MAX = 60.0


@dataclass
class Found:
    """What was found wrong, and at which step."""

    step: int
    error: BaseException


class PausingMachine(RuleBasedStateMachine):
    """Draws what is done; the loop of the tests does it.

    What is found wrong is not found again for sure. So hypothesis, which tries it again to tell the
    story, is told the same at the same step, and nothing is done any more.
    """

    found: Found | None = None

    def __init__(self, site: Site, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._site = site
        self._loop = loop
        self._revision = 0
        self._step = 0
        self._story = Story(site, ORGANIZATIONS)
        self._act(self._story.watch)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._step += 1
        if self.found:
            work.close()
            if self.found.step == self._step:
                raise self.found.error
            return
        try:
            self._run(work)
        except BaseException as error:
            type(self).found = Found(self._step, error)
            self._run(self._story.end())
            raise

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS_MAX)

    def _act(self, act: Callable[[], object]) -> None:
        async def acting() -> None:
            act()
            # It has begun when the next thing happens; that may be anything's turn.
            await let_time_pass(PACE_SECONDS)
            self._story.callers.require_nothing_wrong()

        self._do(acting())

    def _organization(self, number: int) -> OrganizationModel:
        return self._story.organizations[number]

    @initialize()
    def begin(self) -> None:
        """Let some of them send."""
        for number in range(BEGUN):
            organization = self._organization(number)
            self._announce(number, [("subscription", "good"), ("wallet", "good")], NAMES)
            for campaign in range(CAMPAIGNS_EACH):
                self._act(partial(self._story.create, organization, campaign))
            for account in range(ACCOUNTS_EACH):
                self._act(partial(self._story.register, organization, account))
        self._do(self._story.callers.finish())
        for number in range(BEGUN):
            for campaign in range(BEGUN_CAMPAIGNS):
                self._act(partial(self._story.start, self._organization(number), campaign))

    @rule(number=organizations, kinds=news, told=st.permutations(NAMES), chance=st.randoms())
    def announce(
        self,
        number: int,
        kinds: Sequence[tuple[str, str]],
        told: Sequence[str],
        chance: random.Random,
    ) -> None:
        self._announce(number, kinds, told, chance)

    @rule(number=organizations, name=services, chance=st.randoms())
    def announce_again(self, number: int, name: str, chance: random.Random) -> None:
        """What was told before, and is not the newest any more."""
        organization = self._organization(number)
        levels: list[Level] = [*organization.subscriptions, *organization.wallets]
        again = chance.sample(levels, min(2, len(levels)))
        self._act(partial(self._story.announce, organization, name, again))

    def _announce(
        self,
        number: int,
        kinds: Sequence[tuple[str, str]],
        told: Sequence[str],
        chance: random.Random | None = None,
    ) -> None:
        organization = self._organization(number)
        levels = [self._level(organization, *kind) for kind in kinds]
        for name in told:
            if chance:
                chance.shuffle(levels)
            self._act(partial(self._story.announce, organization, name, tuple(levels)))

    def _level(self, organization: OrganizationModel, of: str, kind: str) -> Level:
        self._revision += 1
        if of == "subscription":
            organization.subscriptions.append(subscription_level(self._revision, kind))
            return organization.subscriptions[-1]
        organization.wallets.append(wallet_level(self._revision, kind))
        return organization.wallets[-1]

    @rule(
        number=organizations,
        campaign=campaigns,
        command=often(create=1, start=4, pause=3, resume=3, complete=1),
    )
    def command_campaign(self, number: int, campaign: int, command: str) -> None:
        self._act(partial(getattr(self._story, command), self._organization(number), campaign))

    @rule(
        number=organizations,
        command=often(pause_organization=1, resume_organization=3, suspend=2, reactivate=3),
    )
    def command_organization(self, number: int, command: str) -> None:
        self._act(partial(getattr(self._story, command), self._organization(number)))

    @rule(number=organizations, account=accounts, command=often(register=2, reconcile=1))
    def command_subaccounts(self, number: int, account: int, command: str) -> None:
        organization = self._organization(number)
        if command == "register":
            self._act(partial(self._story.register, organization, account))
        else:
            self._act(partial(self._story.reconcile, organization))

    @rule(command=often(stop_all=1, resume_all=3))
    def command_all(self, command: str) -> None:
        self._act(getattr(self._story, command))

    @rule(
        number=st.integers(0, BEGUN - 1),
        account=accounts,
        failing=failings,
        stays_blocked=st.sampled_from([True, True, False]),
    )
    def flip(
        self, number: int, account: int, failing: tuple[str, Fault], *, stays_blocked: bool
    ) -> None:
        operation, fault = failing
        self._act(
            partial(
                self._story.flip,
                self._organization(number),
                account,
                operation=operation,
                fault=fault,
                stays_blocked=stays_blocked,
            )
        )

    @rule(
        number=organizations,
        account=st.none() | accounts,
        operation=st.sampled_from([None, "update_account", "update_account", "fetch_account"]),
        fault=faults,
        times=st.integers(1, 3),
    )
    def fail(
        self, number: int, account: int | None, operation: str | None, fault: Fault, times: int
    ) -> None:
        sid = None if account is None else sid_of(self._organization(number), account)
        self._act(partial(self._site.twilio.fail, fault, sid, times, operation))

    @rule(kind=often(heal=3, suspend_parent=1))
    def change_all_of_twilio(self, kind: str) -> None:
        self._act(getattr(self._story, kind))

    @rule(
        number=organizations,
        account=accounts,
        status=st.sampled_from([AccountStatus.SUSPENDED, AccountStatus.ACTIVE]),
    )
    def change_in_console(self, number: int, account: int, status: AccountStatus) -> None:
        organization = self._organization(number)
        self._act(partial(self._story.change_in_console, organization, account, status))

    @rule(killed=often(nobody=3, campaign=1, telephony=1))
    def kill(self, killed: str) -> None:
        """It is started again beside whatever is done next."""
        if killed in NAMES:
            self._do(self._site.kill(killed))
            self._act(partial(self._story.restart, killed))

    @rule(milliseconds=st.sampled_from([50, 100, 200]))
    def let_time_pass(self, milliseconds: int) -> None:
        self._do(let_time_pass(milliseconds / 1000))

    def teardown(self) -> None:
        """Leave all alone, and see."""
        if not self.found or self.found.step > self._step:
            self._do(come_to_rest(self._story))
        if not self.found:
            self._run(self._story.end())


@pytest.fixture
async def site(make_database: MakeDatabase, twilio: TwilioSimulator) -> AsyncIterator[Site]:
    """Both services, started."""
    site = Site({name: await make_database(name) for name in NAMES}, twilio)
    await asyncio.gather(*(site.start(name) for name in NAMES))
    yield site
    await site.close()


# Longer than other tests, and as long as it takes where a longer search is asked for.
@pytest.mark.timeout(0 if SEARCH_TIMES > 1 else 240)
async def test_left_alone_all_stands_as_the_pure_functions_say(site: Site) -> None:
    search = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        # What time brings about is not found again with less of it.
        phases=[Phase.generate],
        print_blob=False,
    )
    loop = asyncio.get_running_loop()

    class Machine(PausingMachine):
        def __init__(self) -> None:
            super().__init__(site, loop)

    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=search)
