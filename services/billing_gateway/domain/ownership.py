"""Whose an event is: our own links first, then what is claimed, then what was learnt by the way."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owners:
    """Who is known, or said, to own the objects that an observation speaks of."""

    of_subscription: str | None
    of_linked_customer: frozenset[str]
    claimed: str
    of_learnt_customer: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unowned:
    """Nobody can be named; the event waits."""

    problem: str


def find_owner(owners: Owners, *, trust_claims: bool) -> str | Unowned:
    """Return the organization that an observation belongs to.

    A customer that was only learnt from events comes last: it must not outrank what the event
    itself says, or the order of events would decide whose money it is.
    """
    if owners.of_subscription is not None:
        return owners.of_subscription
    claimed = {owners.claimed} if trust_claims and owners.claimed else frozenset[str]()
    for candidates in (owners.of_linked_customer, claimed, owners.of_learnt_customer):
        if len(candidates) > 1:
            return Unowned(f"its customer is of several organizations: {_listed(candidates)}")
        if candidates:
            return next(iter(candidates))
    ignored = f"; that it is {owners.claimed}'s is not trusted" if owners.claimed else ""
    return Unowned(f"no organization is linked to its subscription or customer{ignored}")


def _listed(organization_ids: Iterable[str]) -> str:
    return ", ".join(sorted(organization_ids))
