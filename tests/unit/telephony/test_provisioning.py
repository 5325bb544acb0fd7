"""Intents against a Twilio that loses, delays and refuses: each ends with one account, once."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.telephony.domain.decision import register
from services.telephony.domain.failures import Failure, no_usable_answer, refusal
from services.telephony.domain.provisioning import (
    NAME_LENGTH_MAX,
    Provision,
    TwilioAccount,
    Vain,
    Wish,
    ask_again,
    begin_create,
    choose,
    claim,
    differing_fields,
    doubles_of,
    fail,
    intend,
    problem_with_name,
    put_off,
    register_account,
    swept,
)
from services.telephony.domain.reconciling import ReconcileTiming
from services.telephony.domain.values import (
    ObservedState,
    Organization,
    Subaccount,
    SuspensionPolicy,
)
from tests.support.searching import MANY_EXAMPLES

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIMING = ReconcileTiming(lease=20 * SECOND, recheck_delay=60 * SECOND)
TAG = "0123456789abcdef"
WISH = Wish("org-1", "ref-1", "acme", "Acme Ltd")
INTENT = intend(WISH, TAG, START)
NO_ANSWER = no_usable_answer("no answer")
BUSY = refusal(20429, "busy")
LIMIT_REACHED = refusal(21480, "no more")
# More than there are looks.
CALM_STEPS = 40


def sid(number: int) -> str:
    return f"AC{number:032x}"


def account(number: int, state: ObservedState = ObservedState.ACTIVE) -> TwilioAccount:
    """An account of the intent's; those with lower numbers are older."""
    name = INTENT.account_name
    return TwilioAccount(sid(number), name, state, START + number * SECOND)


def subaccount(number: int, organization_id: str = "org-1", brand_id: str = "acme") -> Subaccount:
    return register(Organization(organization_id), brand_id, sid(number), SuspensionPolicy(), START)


def begun(provision: Provision, now: datetime, *, blocked: bool = False) -> Provision | None:
    return begin_create(provision, blocked=blocked, timing=TIMING, now=now)


@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "a",
        "x" * 64,
        "Łódź 🍀",
        "ACME  Ltd",
        "\u0646\u0645\u200c\u0647",
        "e\u0301",
        "a=b&c%00",
    ],
)
def test_names_for_people_are_taken(name: str) -> None:
    assert problem_with_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "x" * 65,
        " a",
        "a ",
        "\u00a0a",
        " ",
        "a\nb",
        "a\tb",
        "a\x1bb",
        "a\x7fb",
        "a\u0085b",
        "a\u2028b",
    ],
)
def test_names_that_are_none_are_refused(name: str) -> None:
    assert problem_with_name(name)


@given(st.text(min_size=1, max_size=NAME_LENGTH_MAX))
def test_an_accounts_name_is_tidy_fits_and_ends_with_the_mark(name: str) -> None:
    made = replace(INTENT, friendly_name=name).account_name
    assert len(made) <= NAME_LENGTH_MAX
    assert made.endswith(f" {TAG}")
    assert unicodedata.is_normalized("NFC", made)
    assert made.lstrip() == " ".join(made.split())


def test_two_references_with_one_name_have_accounts_of_different_names() -> None:
    assert INTENT.account_name != replace(INTENT, tag="f" * 16).account_name


def test_what_differs_is_named() -> None:
    assert differing_fields(INTENT, WISH) == ()
    other = replace(WISH, brand_id="", friendly_name="Acme")
    assert differing_fields(INTENT, other) == ("brand_id", "friendly_name")


def test_a_claim_keeps_others_away_until_its_lease_ends() -> None:
    claimed = claim(INTENT, TIMING, START)
    assert not ask_again(claimed, START).is_claimable_at(START + TIMING.lease - SECOND)
    again = claim(claimed, TIMING, START + TIMING.lease)
    assert not again.is_held_by(claimed)
    assert again.is_held_by(again)


def test_a_create_is_begun_at_once_and_the_next_one_much_later() -> None:
    first = begun(claim(INTENT, TIMING, START), START)
    assert first is not None
    assert first.next_create_time == START + TIMING.recheck_delay
    soon = begun(first, START + TIMING.recheck_delay - SECOND)
    assert soon is not None
    assert (soon.lease_end_time, soon.due_time) == (None, first.next_create_time)
    later = begun(first, START + timedelta(minutes=10))
    assert later is not None
    assert later.next_create_time == START + timedelta(minutes=20)
    assert later.is_held_by(first)


def test_blocked_before_any_create_it_is_withdrawn() -> None:
    assert begun(claim(INTENT, TIMING, START), START, blocked=True) is None


def test_blocked_while_a_create_is_open_it_is_looked_for_and_withdrawn_after_a_day() -> None:
    first = begun(claim(INTENT, TIMING, START), START)
    assert first is not None
    blocked = begun(first, START + SECOND, blocked=True)
    assert blocked is not None
    assert blocked.lease_end_time is None
    assert blocked.due_time is not None
    assert begun(first, START + timedelta(days=1, minutes=2), blocked=True) is None


def vain(failure: Failure, *, counts: bool = True) -> Vain:
    return Vain(failure, 5 * SECOND, counts=counts)


def test_what_certainly_made_nothing_may_be_tried_again_soon() -> None:
    claimed = claim(INTENT, TIMING, START)
    sent = begun(claimed, START)
    assert sent is not None
    refused = fail(sent, claimed, vain(BUSY), START)
    assert (refused.next_create_time, refused.due_time) == (None, START + 5 * SECOND)
    lost = fail(sent, claimed, vain(NO_ANSWER), START)
    assert lost.next_create_time == sent.next_create_time
    assert lost.due_time == START + 5 * SECOND


@pytest.mark.parametrize("failure", [NO_ANSWER, LIMIT_REACHED])
def test_what_fails_for_all_of_twilio_counts_against_no_intent(failure: Failure) -> None:
    refused_before = fail(claim(INTENT, TIMING, START), INTENT, vain(LIMIT_REACHED), START)
    for before in (INTENT, refused_before):
        claimed = claim(before, TIMING, START)
        tried = fail(claimed, claimed, vain(failure, counts=False), START)
        assert replace(tried, claim_number=0) == replace(before, due_time=START, claim_number=0)
        sent = begun(claimed, START)
        assert sent is not None
        lost = fail(sent, claimed, vain(NO_ANSWER, counts=False), START)
        assert lost.next_create_time == sent.next_create_time


@pytest.mark.parametrize(
    "succeed",
    [
        lambda provision, now: swept(provision, TIMING, now),
        lambda provision, now: register_account(provision, sid(4), TIMING, now),
    ],
    ids=["looked at", "made"],
)
def test_since_when_it_fails_is_kept_until_it_does_not(
    succeed: Callable[[Provision, datetime], Provision],
) -> None:
    made = register_account(INTENT, sid(4), TIMING, START)
    assert made.failing_time is None
    provision = made
    for minutes in (1, 2):
        now = START + timedelta(minutes=minutes)
        claimed = claim(provision, TIMING, now)
        provision = fail(claimed, claimed, vain(LIMIT_REACHED), now)
        assert provision.failing_time == START + timedelta(minutes=1)
    well = succeed(provision, START + timedelta(minutes=3))
    assert (well.failing_time, well.last_error) == (None, "")
    claimed = claim(well, TIMING, START + timedelta(hours=1))
    again = fail(claimed, claimed, vain(NO_ANSWER), START + timedelta(hours=1))
    assert again.failing_time == START + timedelta(hours=1)


def test_a_refusal_closes_no_create_that_was_open_before() -> None:
    first = begun(claim(INTENT, TIMING, START), START)
    assert first is not None
    again = claim(first, TIMING, START + timedelta(minutes=1))
    sent = begun(again, START + timedelta(minutes=1))
    assert sent is not None
    refused = fail(sent, again, vain(BUSY), START)
    assert refused.next_create_time == first.next_create_time


def test_the_oldest_living_account_of_the_mark_is_kept() -> None:
    other = replace(account(1), friendly_name="Acme Ltd fedcba9876543210")
    closed = account(2, ObservedState.CLOSED)
    accounts = [account(5), account(4), other, closed]
    assert choose(INTENT, accounts, {}) == sid(4)
    assert choose(INTENT, [other, closed], {}) is None


@pytest.mark.parametrize(
    ("registered", "kept"),
    [
        (subaccount(4), 4),
        (subaccount(4, organization_id="org-2"), 5),
        (subaccount(4, brand_id="other"), 5),
    ],
)
def test_an_account_of_somebody_else_is_not_taken(registered: Subaccount, kept: int) -> None:
    accounts = [account(4), account(5)]
    assert choose(INTENT, accounts, {registered.account_sid: registered}) == sid(kept)


def test_what_is_nobodys_is_a_double() -> None:
    ended = register_account(INTENT, sid(4), TIMING, START)
    accounts = [account(3), account(4), account(5), account(6, ObservedState.CLOSED)]
    found = doubles_of(ended, accounts, {sid(4), sid(5)})
    assert [each.account_sid for each in found] == [sid(3)]


def test_looks_come_ever_more_rarely_for_a_day() -> None:
    provision = register_account(INTENT, sid(4), TIMING, START)
    times = []
    while provision.due_time is not None:
        times.append(provision.due_time - START)
        provision = swept(provision, TIMING, provision.due_time)
    assert times == [timedelta(minutes=4**number) for number in range(len(times))]
    assert times[-2] <= timedelta(days=1) < times[-1]


@dataclass
class World:
    """One intent, its Twilio, and a worker that may die at any moment."""

    provision: Provision | None = INTENT
    now: datetime = START
    blocked: bool = False
    in_trouble: bool = False
    accounts: dict[str, TwilioAccount] = field(default_factory=dict)
    registered: dict[str, Subaccount] = field(default_factory=dict)
    late: list[datetime] = field(default_factory=list)
    # What the worker has in its hands, and what it saw.
    claimed: Provision | None = None
    seen: list[TwilioAccount] | None = None
    is_sent: bool = False

    def ask(self) -> None:
        """As ProvisionSubaccount does."""
        if self.provision is None and not self.blocked:
            self.provision = intend(WISH, TAG, self.now)
        elif self.provision is not None and self.provision.account_sid is None:
            self.provision = ask_again(self.provision, self.now)

    def block(self, is_on: object) -> None:
        self.blocked = bool(is_on)

    def trouble(self, is_on: object) -> None:
        """Twilio as a whole cannot be used."""
        self.in_trouble = bool(is_on)

    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND
        for time in [each for each in self.late if each <= self.now]:
            self.late.remove(time)
            self._make()

    def take_claim(self) -> None:
        known = self.provision
        if self.claimed is None and known is not None and known.is_claimable_at(self.now):
            self.provision = self.claimed = claim(known, TIMING, self.now)

    def look(self) -> None:
        if self.claimed is not None and self.seen is None:
            self.seen = list(self.accounts.values())

    def act(self) -> None:
        """Register what was seen, suspend what was seen twice, or begin a create."""
        known = self._held()
        if known is None or self.seen is None or self.is_sent:
            return
        if known.account_sid is not None:
            for each in doubles_of(known, self.seen, self.registered):
                suspended = replace(each, state=ObservedState.SUSPENDED)
                self.accounts[each.account_sid] = suspended
            self._let_go(swept(known, TIMING, self.now))
        elif not self._register(known, self.seen):
            self._begin(known)

    def attempt(self, ending: str, late_seconds: int) -> None:
        for step in (self.take_claim, self.look, self.act):
            step()
        if ending in {"lose", "die"}:
            getattr(self, ending)(late_seconds)
        else:
            getattr(self, ending)()

    def answer(self) -> None:
        if self.is_sent and (known := self._held()) is not None:
            self._register(known, [self._make()])

    def lose(self, late_seconds: int) -> None:
        """No answer comes, and the account does, after all."""
        if self.is_sent:
            self.late.append(self.now + late_seconds * SECOND)
            self._fail(NO_ANSWER)

    def refuse(self) -> None:
        self._fail(LIMIT_REACHED)

    def die(self, late_seconds: int) -> None:
        if self.is_sent:
            self.late.append(self.now + late_seconds * SECOND)
        self.claimed, self.seen, self.is_sent = None, None, False

    def calm_down(self) -> None:
        """From here on nothing fails or blocks."""
        self.die(0)
        self.blocked = self.in_trouble = False
        self.ask()
        for _ in range(CALM_STEPS):
            for step in (self.take_claim, self.look, self.act, self.answer):
                step()
            due_time = self.provision.due_time if self.provision else None
            self.pass_time(max(60, int((due_time - self.now).total_seconds())) if due_time else 0)

    def _held(self) -> Provision | None:
        if self.claimed is None:
            return None
        if self.provision is None or not self.provision.is_held_by(self.claimed):
            self._let_go(self.provision)
            return None
        return self.provision

    def _begin(self, known: Provision) -> None:
        claimed = self.claimed
        if self.in_trouble:
            self._let_go(put_off(known, self.now))
            return
        self.provision = begun(known, self.now, blocked=self.blocked)
        if self.provision is None or claimed is None or not self.provision.is_held_by(claimed):
            self._let_go(self.provision)
        else:
            self.is_sent = True

    def _register(self, known: Provision, accounts: list[TwilioAccount]) -> bool:
        account_sid = choose(known, accounts, self.registered)
        if account_sid is None:
            return False
        self.registered[account_sid] = register(
            Organization("org-1"), "acme", account_sid, SuspensionPolicy(), START
        )
        self._let_go(register_account(known, account_sid, TIMING, self.now))
        return True

    def _fail(self, failure: Failure) -> None:
        known, claimed = self._held(), self.claimed
        if known is not None and claimed is not None:
            came_to = vain(failure, counts=not self.in_trouble)
            self._let_go(fail(known, claimed, came_to, self.now))

    def _let_go(self, provision: Provision | None) -> None:
        self.provision = provision
        self.claimed, self.seen, self.is_sent = None, None, False

    def _make(self) -> TwilioAccount:
        number = len(self.accounts) + 1
        made = replace(account(number), create_time=self.now)
        self.accounts[made.account_sid] = made
        return made


# A request that was given up takes effect within hours, if it ever does.
late_seconds = st.one_of(st.integers(0, 120), st.integers(0, 20_000))
endings = st.sampled_from(["answer", "refuse", "lose", "die"])
events = st.one_of(
    st.tuples(st.just("attempt"), endings, late_seconds),
    st.tuples(st.just("ask")),
    st.tuples(st.just("block"), st.booleans()),
    st.tuples(st.just("trouble"), st.booleans()),
    st.tuples(st.just("pass_time"), st.one_of(st.integers(0, 90), st.integers(0, 7_200))),
    *(st.tuples(st.just(name)) for name in ("take_claim", "look", "act", "answer", "refuse")),
    st.tuples(st.just("lose"), late_seconds),
    st.tuples(st.just("die"), late_seconds),
)


@settings(max_examples=MANY_EXAMPLES)
@given(st.lists(events, max_size=40))
def test_whatever_happened_one_account_is_registered_and_no_other_is_active(
    story: list[tuple[str, object]],
) -> None:
    world = World()
    for name, *arguments in story:
        step: Callable[..., None] = getattr(world, name)
        step(*arguments)
        assert len(world.registered) <= 1
    world.calm_down()
    [registered] = world.registered
    assert world.provision is not None
    assert world.provision.account_sid == registered
    assert world.provision.due_time is None
    active = {each.account_sid for each in world.accounts.values() if each.state == "ACTIVE"}
    assert active == {registered}
