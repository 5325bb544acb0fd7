"""Real events, changed at will: none makes the translation raise, and no amount is misread."""

import random
from datetime import UTC, datetime

import pytest

from services.billing_gateway.domain.observations import (
    Ignored,
    Observed,
    PaymentPaid,
    Translation,
    Unreadable,
)
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.translation import translate_event as translate_paypal
from services.billing_gateway.stripe.translation import TranslationRules
from services.billing_gateway.stripe.translation import translate_event as translate_stripe
from tests.support.credits_told import Success, success_of
from tests.support.mutations import Hands, words_of
from tests.support.sample_events import sample_events
from tests.support.searching import SEARCH_TIMES

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULES = TranslationRules(livemode=False, blocking_fraud_types=frozenset())
SAMPLES = list(sample_events())
CHANGED = round(1_000 * SEARCH_TIMES)


def translate(provider: Provider, body: bytes) -> Translation:
    if provider is Provider.PAYPAL:
        return translate_paypal(body, NOW, Environment.SANDBOX)
    return translate_stripe(body, NOW, RULES)


def successes_in(translation: Observed) -> list[Success]:
    return [
        Success(each.objects[0].object_id, each.paid_micros, each.currency_code)
        for each in translation.observations
        if isinstance(each, PaymentPaid)
    ]


@pytest.mark.skipif(not SAMPLES, reason="the sample payloads are not here")
def test_a_changed_sample_is_read_as_simply_as_it_can_be_or_not_at_all() -> None:
    rng = random.Random()
    hands = Hands(rng, words_of([told for _, told in SAMPLES]), ["org-1", "org-2"])
    others = {
        provider: [told for sender, told in SAMPLES if sender is provider] for provider in Provider
    }
    believed = 0
    for _ in range(CHANGED):
        provider, told = rng.choice(SAMPLES)
        body = hands.mutate(told, "fuzz-1", others[provider])
        match translate(provider, body):
            case Observed() as observed:
                # What is read can be named, found again and kept.
                assert all(str(each) and any(each.object_ids) for each in observed.observations)
                found = successes_in(observed)
                assert found in ([], [success_of(provider, body)]), body
                believed += len(found)
            case translation:
                assert isinstance(translation, Ignored | Unreadable)
    assert believed > CHANGED / 100
