"""What an observer takes of what it is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import DomainError, ErrorReason
from libs.levels import SubscriptionLevel, SubscriptionState, is_news

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HELD = SubscriptionLevel(5, SubscriptionState.ACTIVE, good_standing=True, good_until=NOW)


def test_only_what_is_newer_is_taken() -> None:
    assert is_news(None, HELD)
    assert is_news(HELD, replace(HELD, revision=6))
    assert not is_news(HELD, HELD)
    assert not is_news(HELD, replace(HELD, revision=4, good_standing=False))


def test_the_same_revision_with_other_content_is_an_alarm() -> None:
    with pytest.raises(DomainError) as caught:
        is_news(HELD, replace(HELD, good_standing=False))
    assert caught.value.reason is ErrorReason.REFERENCE_CONFLICT
    assert caught.value.metadata == {"heldRevision": "5"}


def test_good_news_expires() -> None:
    assert HELD.is_good_at(NOW - timedelta(microseconds=1))
    assert not HELD.is_good_at(NOW)
    assert not replace(HELD, good_until=None).is_good_at(NOW)
    assert not replace(HELD, good_standing=False).is_good_at(NOW - timedelta(days=1))
