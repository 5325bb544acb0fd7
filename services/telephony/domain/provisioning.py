"""Making a subaccount at Twilio once: when Twilio is asked, and which account is the one.

A create whose answer is lost may have taken effect, or take effect later. So an intent has a name
of its own by which its accounts are found; before each create they are looked for, and after one
whose outcome is open the next has to wait. What was made twice all the same is found by looking
again.
"""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.telephony.domain.failures import Action, Failure
from services.telephony.domain.reconciling import ReconcileTiming
from services.telephony.domain.values import ObservedState, Subaccount

# Of Twilio's names.
NAME_LENGTH_MAX = 64
TAG_LENGTH = 16
# Controls, and what begins a new line or paragraph.
CONTROL_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})
COMPARED_FIELDS = ("brand_id", "friendly_name")
# After a day no create takes effect any more. Looks come ever more rarely until then.
LOOKED_AT_FOR = timedelta(days=1)
LOOK_GROWTH = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for under a reference."""

    organization_id: str
    reference_id: str
    brand_id: str
    friendly_name: str


@dataclass(frozen=True, slots=True)
class Provision:
    """An intent to have one account made, from before Twilio is asked until long after.

    A claim gives one process the right to work on it until the lease ends, as for a subaccount.
    """

    organization_id: str
    reference_id: str
    brand_id: str
    friendly_name: str
    # What ends the account's name; no other intent has it.
    tag: str
    create_time: datetime
    due_time: datetime | None
    account_sid: str | None = None
    register_time: datetime | None = None
    # Made under this intent as well, and not registered.
    double_account_sids: tuple[str, ...] = ()
    last_error: str = ""
    # Since when attempts have failed.
    failing_time: datetime | None = None
    # Twilio's, if the last attempt was refused.
    refusal_code: int | None = None
    attempt_count: int = 0
    claim_number: int = 0
    lease_end_time: datetime | None = None
    # No create is begun before; None while none is known to be, or to have been, under way.
    next_create_time: datetime | None = None

    @property
    def account_name(self) -> str:
        """Return the name at Twilio, which whatever tidies names leaves as it is."""
        tidy = " ".join(unicodedata.normalize("NFC", self.friendly_name).split())
        return f"{tidy[: NAME_LENGTH_MAX - TAG_LENGTH - 1].rstrip()} {self.tag}"

    def is_claimable_at(self, now: datetime) -> bool:
        """Tell whether something is to be done and nobody is at it."""
        due = self.due_time is not None and self.due_time <= now
        return due and (self.lease_end_time is None or self.lease_end_time <= now)

    def is_held_by(self, claimed: "Provision") -> bool:
        """Tell whether a claim is the latest one and nothing has come of it yet."""
        return self.claim_number == claimed.claim_number and self.lease_end_time is not None


@dataclass(frozen=True, slots=True)
class ProvisionFilter:
    """Which intents; what is unset does not restrict."""

    organization_id: str = ""
    open: bool | None = None
    failing: bool | None = None


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """An account as Twilio tells of it."""

    account_sid: str
    friendly_name: str
    state: ObservedState
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Vain:
    """What an attempt in vain came to; `counts` tells that it was not all of Twilio's failure."""

    failure: Failure
    retry_delay: timedelta
    counts: bool = True


def problem_with_name(friendly_name: str) -> str | None:
    """Return what is wrong with a name that a caller gives."""
    if len(friendly_name) > NAME_LENGTH_MAX:
        return f"must have at most {NAME_LENGTH_MAX} characters"
    if friendly_name != friendly_name.strip():
        return "must not begin or end with white space"
    if any(unicodedata.category(character) in CONTROL_CATEGORIES for character in friendly_name):
        return "must not contain control characters or line breaks"
    return None


def intend(wish: Wish, tag: str, now: datetime) -> Provision:
    """Return an intent of which nothing has been done."""
    return Provision(
        organization_id=wish.organization_id,
        reference_id=wish.reference_id,
        brand_id=wish.brand_id,
        friendly_name=wish.friendly_name,
        tag=tag,
        create_time=now,
        due_time=now,
    )


def differing_fields(known: Provision, asked: Wish) -> tuple[str, ...]:
    """Return the fields of a request that ask for something else than the reference did before."""
    return tuple(name for name in COMPARED_FIELDS if getattr(known, name) != getattr(asked, name))


def ask_again(provision: Provision, now: datetime) -> Provision:
    """Return an open intent that is due at once, unless somebody is at it."""
    return provision if provision.lease_end_time else replace(provision, due_time=now)


def claim(provision: Provision, timing: ReconcileTiming, now: datetime) -> Provision:
    """Return the intent as it is while one process works on it."""
    lease_end_time = now + timing.lease
    return replace(
        provision,
        attempt_count=provision.attempt_count + 1,
        due_time=lease_end_time,
        claim_number=provision.claim_number + 1,
        lease_end_time=lease_end_time,
    )


def begin_create(
    provision: Provision, *, blocked: bool, timing: ReconcileTiming, now: datetime
) -> Provision | None:
    """Return an intent that has no account before a create: still claimed if one may be sent now.

    None withdraws it: nothing was made, and nothing may be made now.
    """
    open_until = provision.next_create_time
    if blocked:
        wait = None if open_until is None else _look_delay(open_until, timing, now)
        return None if wait is None else _released(provision, now + wait)
    if open_until is not None and now < open_until:
        return _released(provision, open_until)
    age = now - provision.create_time
    return replace(provision, next_create_time=now + max(timing.recheck_delay, age))


def fail(provision: Provision, claimed: Provision, vain: Vain, now: datetime) -> Provision:
    """Return the intent after an attempt in vain."""
    # What Twilio has refused made no account for sure.
    sent = provision if vain.failure.is_open else claimed
    tried = replace(provision, next_create_time=sent.next_create_time)
    if not vain.counts:
        return put_off(tried, now)
    is_refused = vain.failure.action is not Action.RETRY
    return replace(
        _released(tried, now + vain.retry_delay),
        last_error=vain.failure.message,
        failing_time=provision.failing_time or now,
        refusal_code=vain.failure.code if is_refused else None,
    )


def put_off(provision: Provision, now: datetime) -> Provision:
    """Return the intent as if there had been no attempt: it is due once Twilio can be used."""
    return replace(_released(provision, now), attempt_count=max(0, provision.attempt_count - 1))


def choose(
    provision: Provision, accounts: Sequence[TwilioAccount], registered: Mapping[str, Subaccount]
) -> str | None:
    """Return the SID of the account to keep: the oldest one that is not somebody else's."""
    for account in sorted(
        _living(provision, accounts), key=lambda it: (it.create_time, it.account_sid)
    ):
        known = registered.get(account.account_sid)
        if known is None or (
            known.organization_id == provision.organization_id
            and known.brand_id == provision.brand_id
        ):
            return account.account_sid
    return None


def register_account(
    provision: Provision, account_sid: str, timing: ReconcileTiming, now: datetime
) -> Provision:
    """Return the intent that ends with an account, to be looked at for others later."""
    return replace(
        _succeeded(provision, now + timing.recheck_delay),
        account_sid=account_sid,
        register_time=now,
    )


def doubles_of(
    provision: Provision, accounts: Sequence[TwilioAccount], registered: Collection[str]
) -> list[TwilioAccount]:
    """Return the accounts of an intent that are neither the one that was kept nor anybody's."""
    return [each for each in _living(provision, accounts) if each.account_sid not in registered]


def swept(provision: Provision, timing: ReconcileTiming, now: datetime) -> Provision:
    """Return an intent that has been looked at and of which no other account is active."""
    assert provision.register_time is not None
    delay = _look_delay(provision.register_time, timing, now)
    return _succeeded(provision, None if delay is None else now + delay)


def _succeeded(provision: Provision, due_time: datetime | None) -> Provision:
    return replace(
        _released(provision, due_time),
        last_error="",
        failing_time=None,
        refusal_code=None,
        attempt_count=0,
    )


def _released(provision: Provision, due_time: datetime | None) -> Provision:
    return replace(provision, lease_end_time=None, due_time=due_time)


def _look_delay(since: datetime, timing: ReconcileTiming, now: datetime) -> timedelta | None:
    """Return when to look again: after several times as long as it has been there."""
    age = now - since
    return None if age > LOOKED_AT_FOR else max(timing.recheck_delay, LOOK_GROWTH * age)


def _living(provision: Provision, accounts: Sequence[TwilioAccount]) -> list[TwilioAccount]:
    return [
        each
        for each in accounts
        if each.state is not ObservedState.CLOSED and each.friendly_name.endswith(provision.tag)
    ]
