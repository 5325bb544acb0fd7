"""From what was told of subscriptions to facts, rows and history."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from libs.database import Connection
from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.facts import (
    LAG_MAX,
    Confirmed,
    FactKind,
    NewFact,
    NothingNew,
    SubscriptionFact,
    SubscriptionTold,
    facts_of,
    is_outdated,
    merge_fact,
    with_merge,
)
from services.billing_gateway.domain.looking import (
    LOOK_DELAY,
    is_usable,
    next_look,
    raises_doubt,
    splits_an_instant,
)
from services.billing_gateway.domain.observations import SubscriptionClaimed, SubscriptionObserved
from services.billing_gateway.domain.ownership import Unowned
from services.billing_gateway.domain.standing import see, stand
from services.billing_gateway.domain.values import (
    ChangeCause,
    Provider,
    Subscription,
    SubscriptionChange,
)
from services.billing_gateway.operations.recording.parts import Organizations, PartRecorded, Told
from services.billing_gateway.operations.recording_port import Source
from services.billing_gateway.storage import facts, subscriptions
from services.billing_gateway.storage.organizations import LockedOrganization

SubscriptionWord: TypeAlias = SubscriptionTold | SubscriptionClaimed


@dataclass(frozen=True)
class SubscriptionTiming:
    """What the settings say of time."""

    slack: timedelta
    grace: timedelta
    look_interval: timedelta


@dataclass(frozen=True, slots=True)
class Heard:
    """What was told of a subscription at once: all facts now, and what of them is to be written."""

    facts: tuple[SubscriptionFact, ...]
    news: tuple[NewFact | Confirmed, ...]
    # In how long the provider is to be asked, if there is a doubt.
    doubt: timedelta | None

    @property
    def has_new_facts(self) -> bool:
        """Tell whether anything was told that was not known."""
        return any(isinstance(each, NewFact) for each in self.news)

    @property
    def has_state(self) -> bool:
        """Tell whether it is known how the subscription stands."""
        return any(fact.kind is FactKind.STATE for fact in self.facts)


class SubscriptionRecording:
    """Keeps facts, and the rows that follow from them."""

    def __init__(self, timing: SubscriptionTiming, askable: frozenset[Provider]) -> None:
        self._timing = timing
        self._askable = askable

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Record what was told of subscriptions that somebody owns; the rest waits."""
        problems = [each.owner.problem for each in told if isinstance(each.owner, Unowned)]
        words: dict[tuple[str, str], list[SubscriptionWord]] = {}
        for each in told:
            if isinstance(each.owner, str) and isinstance(each.observation, SubscriptionWord):
                key = each.owner, each.observation.subscription_id
                words.setdefault(key, []).append(each.observation)
        parts = [
            await self._record_one(connection, source, organizations[owner], of_one)
            for (owner, _), of_one in words.items()
        ]
        return PartRecorded(
            problems=tuple(problems),
            changes=tuple(change for part in parts for change in part.changes),
            looks_due=any(part.looks_due for part in parts),
            news_of=frozenset[str]().union(*(part.news_of for part in parts)),
        )

    async def _record_one(
        self,
        connection: Connection,
        source: Source,
        organization: LockedOrganization,
        words: Sequence[SubscriptionWord],
    ) -> PartRecorded:
        provider, subscription_id = source.provider, words[0].subscription_id
        known = await subscriptions.find(connection, provider, subscription_id)
        told = await facts.list_of_subscription(connection, provider, subscription_id)
        heard = self._hear(source, words, told)
        row = known or Subscription(organization.organization_id, provider, subscription_id)
        customer_id = next((each.customer_id for each in words if each.customer_id), "")
        row = replace(row, learnt_customer_id=row.learnt_customer_id or customer_id)
        after = stand(row, heard.facts, self._timing.grace)
        if after == known and not heard.news and heard.doubt is None:
            return PartRecorded()
        due_time = self._look_due_time(after, heard, organization.now)
        await subscriptions.save(connection, after, due_time, is_heard=heard.has_state)
        await _write(connection, after, heard.news)
        is_news = after != known or heard.has_new_facts
        return PartRecorded(
            changes=self._changes(source, known, after, organization.now),
            looks_due=heard.doubt is not None,
            news_of=frozenset(each for word in words for each in word.object_ids if is_news),
        )

    def _hear(
        self,
        source: Source,
        words: Sequence[SubscriptionWord],
        known: Sequence[SubscriptionFact],
    ) -> Heard:
        """Merge what is told into what is known. What was asked for leaves no doubt open."""
        facts_now, news, doubts = list(known), list[NewFact | Confirmed](), list[timedelta]()
        for word in words:
            if isinstance(word, SubscriptionClaimed):
                continue
            if not is_usable(word, source.receive_time):
                self._require_askable(source.provider, word)
                if source.cause is ChangeCause.EVENT:
                    doubts.append(LOOK_DELAY)
                continue
            for fact in facts_of(word, source.source_id):
                merge = merge_fact(facts_now, fact)
                if isinstance(merge, NothingNew):
                    continue
                doubts += _doubts(source, word, facts_now, fact)
                facts_now = with_merge(facts_now, merge)
                news.append(merge)
        return Heard(tuple(facts_now), tuple(news), min(doubts, default=None))

    def _require_askable(self, provider: Provider, word: SubscriptionTold) -> None:
        if provider not in self._askable:
            raise DomainError(
                ErrorReason.INVALID_STATE,
                f"{word}: it has no time that may be kept, and the provider cannot be asked",
            )

    def _look_due_time(
        self, subscription: Subscription, heard: Heard, now: datetime
    ) -> datetime | None:
        jitter = random.uniform(0.5, 1.0)
        due_time = next_look(subscription, now, self._timing.look_interval, jitter)
        if due_time is None or heard.doubt is None:
            return due_time
        return now + heard.doubt

    def _changes(
        self, source: Source, known: Subscription | None, after: Subscription, now: datetime
    ) -> tuple[SubscriptionChange, ...]:
        if known and self._look_of(known, now) == self._look_of(after, now):
            return ()
        change = SubscriptionChange(
            organization_id=after.organization_id,
            cause=source.cause,
            provider=after.provider,
            subscription_id=after.subscription_id,
            from_state=known.state if known else None,
            to_state=after.state,
            source_id=source.source_id,
            actor=source.actor,
            note=source.note,
        )
        return (change,)

    def _look_of(self, subscription: Subscription, now: datetime) -> tuple[object, ...]:
        good_standing = see(subscription, self._timing.slack, now).good_standing
        return subscription.state, subscription.ends_with_its_period, good_standing


def _doubts(
    source: Source,
    word: SubscriptionTold,
    known: Sequence[SubscriptionFact],
    fact: SubscriptionFact,
) -> list[timedelta]:
    if source.cause is not ChangeCause.EVENT:
        if is_outdated(fact, known):
            return [LAG_MAX]
        return [LOOK_DELAY] if splits_an_instant(known, fact) else []
    wants_look = isinstance(word, SubscriptionObserved) and word.wants_look
    return [LOOK_DELAY] if wants_look or raises_doubt(known, fact) else []


async def _write(
    connection: Connection, of: Subscription, news: Sequence[NewFact | Confirmed]
) -> None:
    for each in news:
        match each:
            case NewFact():
                await facts.insert(connection, of.provider, of.subscription_id, each.fact)
            case Confirmed():
                await facts.confirm(
                    connection, of.provider, of.subscription_id, each.source_id, each.time
                )
