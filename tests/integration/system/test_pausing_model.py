"""Whatever happens to two services and to Twilio, all ends where the pure functions say.

Levels come in any order, doubled, late and with an end; operators command; Twilio fails, and does
late what it was asked; both services are killed and started again. Meanwhile somebody looks all
the time, and at rest the model knows how everything stands.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
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
    Cut,
    Fault,
    Hang,
    LostAnswer,
    Overtaken,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from tests.conftest import MakeDatabase
from tests.integration.system.pausing_model.facts import now
from tests.integration.system.pausing_model.organization import Level, OrganizationModel
from tests.integration.system.pausing_model.rest import come_to_rest
from tests.integration.system.pausing_model.rules import DEBT_TOLERANCE_MICROS
from tests.integration.system.pausing_model.site import (
    LATE_MILLISECONDS_MAX,
    NAMES,
    SLOW_MILLISECONDS,
    Site,
)
from tests.integration.system.pausing_model.story import Story, sid_of
from tests.support.level_steps import FAR_FUTURE
from tests.support.searching import FEW_EXAMPLES, SEARCH_TIMES
from tests.support.stack import TWILIO_SID
from tests.support.waiting import let_time_pass

EXAMPLES = max(2, FEW_EXAMPLES // 3)
STEPS = 100
PACE_SECONDS = 0.015
ANSWER_SECONDS_MAX = 60.0
# All but the last begin with all that it takes to send; of that one nobody has heard.
ORGANIZATIONS, BEGUN = 4, 3
ACCOUNTS_EACH = 2
CAMPAIGNS_EACH, BEGUN_CAMPAIGNS = 4, 2

organizations = st.integers(0, ORGANIZATIONS - 1)
accounts = st.integers(0, ACCOUNTS_EACH - 1)
campaigns = st.integers(0, CAMPAIGNS_EACH - 1)
services = st.sampled_from(NAMES)


def often(**weights: int) -> st.SearchStrategy[str]:
    """Return names, each as often as is said."""
    return st.sampled_from([name for name, weight in weights.items() for _ in range(weight)])


subscriptions = often(good=6, bad=1, ending=2)
wallets = often(good=6, frozen=1, depleted=1, owing=1, owing_little=1)
# More than one: told to each service in an order of its own.
news = st.lists(
    st.one_of(
        subscriptions.map(lambda kind: ("subscription", kind)),
        wallets.map(lambda kind: ("wallet", kind)),
    ),
    min_size=1,
    max_size=3,
)
# After whoever asked has given up, and mostly after what is asked for next.
lates = st.builds(
    Overtaken, later=st.sampled_from([1, 1, 2]), milliseconds_max=st.just(LATE_MILLISECONDS_MAX)
)
# In time, but long enough for what is told meanwhile.
slows = st.builds(Overtaken, later=st.just(9), milliseconds_max=st.just(SLOW_MILLISECONDS))
faults: st.SearchStrategy[Fault] = st.one_of(
    lates,
    slows,
    st.sampled_from(
        [
            Hang(),
            Cut(),
            LostAnswer(),
            Unavailable(500),
            Unavailable(503),
            TooManyRequests(),
            TooManyRequests(0),
            TooManyRequests(1),
            Refusal("20003", 401),
        ]
    ),
)


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
        command=often(pause_organization=1, resume_organization=2, suspend=2, reactivate=3),
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

    @rule(command=often(stop_all=1, resume_all=2))
    def command_all(self, command: str) -> None:
        self._act(getattr(self._story, command))

    @rule(
        number=st.integers(0, BEGUN - 1),
        account=accounts,
        failing=st.one_of(
            st.tuples(st.just("fetch_account"), slows),
            st.tuples(st.just("update_account"), lates),
            st.tuples(st.sampled_from(["fetch_account", "update_account"]), faults),
        ),
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

    @rule(kind=often(heal=2, suspend_parent=1, activate_parent=1))
    def change_all_of_twilio(self, kind: str) -> None:
        if kind == "heal":
            self._act(self._site.twilio.heal)
            return
        is_active = kind == "activate_parent"
        status = AccountStatus.ACTIVE if is_active else AccountStatus.SUSPENDED
        self._act(partial(self._site.twilio.set_status, TWILIO_SID, status))

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


def subscription_level(revision: int, kind: str) -> SubscriptionLevel:
    is_good = kind != "bad"
    soon = now() + timedelta(milliseconds=300)
    return SubscriptionLevel(
        revision,
        SubscriptionState.ACTIVE if is_good else SubscriptionState.PAST_DUE,
        good_standing=is_good,
        good_until=soon if kind == "ending" else FAR_FUTURE,
    )


def wallet_level(revision: int, kind: str) -> WalletLevel:
    frozen, depleted = kind == "frozen", kind == "depleted"
    owing = {"owing": DEBT_TOLERANCE_MICROS + 1, "owing_little": DEBT_TOLERANCE_MICROS}
    return WalletLevel(
        revision,
        frozen=frozen,
        freeze_reasons=("OPERATOR",) if frozen else (),
        depleted=depleted,
        depleted_since=now() if depleted else None,
        owing_micros=owing.get(kind, 0),
        currency_code="USD",
    )


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
