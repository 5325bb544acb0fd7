"""Whose an event is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    Observation,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionClaimed,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.domain.ownership import (
    Named,
    Owners,
    Unowned,
    find_owner,
    name_all,
)
from services.billing_gateway.domain.values import CheckoutState, PaymentProgress

EVERYBODY = Owners(
    of_subscription="org-1",
    of_linked_customer=frozenset({"org-2"}),
    claimed="org-3",
    of_learnt_customer=frozenset({"org-4"}),
)


@pytest.mark.parametrize(
    ("owners", "found"),
    [
        (EVERYBODY, "org-1"),
        (replace(EVERYBODY, of_subscription=None), "org-2"),
        (Owners(claimed="org-3", of_learnt_customer=frozenset({"org-4"})), "org-3"),
        (Owners(of_learnt_customer=frozenset({"org-4"})), "org-4"),
    ],
)
def test_our_links_come_first_then_claims_then_what_was_learnt(owners: Owners, found: str) -> None:
    assert find_owner(owners, trust_claims=True) == found


def test_a_claim_counts_only_where_it_is_trusted() -> None:
    owners = Owners(claimed="org-3")
    assert isinstance(find_owner(owners, trust_claims=False), Unowned)


@pytest.mark.parametrize(
    "owners",
    [
        Owners(of_linked_customer=frozenset({"org-1", "org-2"})),
        Owners(of_learnt_customer=frozenset({"org-1", "org-2"})),
    ],
)
def test_a_customer_of_several_organizations_is_nobodys(owners: Owners) -> None:
    found = find_owner(owners, trust_claims=True)
    assert isinstance(found, Unowned)
    assert "org-1, org-2" in found.problem


@pytest.mark.parametrize(
    "owners",
    [
        Owners(of_checkout="org-1", proven="org-2"),
        Owners(proven="org-1", of_subscription="org-2"),
        Owners(of_checkout="org-1", of_subscription="org-2"),
    ],
)
def test_what_is_ours_of_several_organizations_is_nobodys(owners: Owners) -> None:
    found = find_owner(owners, trust_claims=True)
    assert isinstance(found, Unowned)
    assert "org-1, org-2" in found.problem


@pytest.mark.parametrize("trust_claims", [True, False])
@pytest.mark.parametrize(
    "owners", [Owners(of_checkout="org-1"), Owners(proven="org-1", claimed="org-1")]
)
def test_what_tollgate_made_is_known_whatever_is_trusted(
    owners: Owners, *, trust_claims: bool
) -> None:
    stranger = replace(owners, claimed="org-9", of_linked_customer=frozenset({"org-8"}))
    assert find_owner(stranger, trust_claims=trust_claims) == "org-1"


def test_what_one_event_tells_of_a_subscription_is_one_word() -> None:
    claim = Claim("org-1")
    failed = SubscriptionPaymentFailed("I-1", "payer-9", None, moves_state=True)
    paid = SubscriptionPaid("I-1", "payer-1", claim, None, None, moves_state=True)
    other = SubscriptionPaid("I-2", "", None, None, None, moves_state=True)
    together = Named("I-1", "payer-1", claim=claim)
    assert name_all([failed, paid, other]) == [together, together, Named("I-2")]
    assert name_all([paid, failed]) == [together, together]


def test_top_ups_of_one_event_lend_each_other_nothing() -> None:
    mine = CheckoutObserved("ORDER1", CheckoutState.APPROVED, Claim("org-1"))
    other = CheckoutObserved("ORDER2", CheckoutState.APPROVED, None)
    assert name_all([mine, other]) == [
        Named(checkout_id="ORDER1", claim=Claim("org-1")),
        Named(checkout_id="ORDER2"),
    ]


def test_a_failure_alone_says_nothing_of_whose_it_is() -> None:
    failed = SubscriptionPaymentFailed("I-1", "payer-1", None, moves_state=True)
    assert name_all([failed]) == [Named("I-1")]


NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = Claim("org-1")
OBSERVED = SubscriptionObserved(
    subscription_id="I-1",
    customer_id="payer-1",
    claim=OURS,
    plan_id="",
    state=SubscriptionState.ACTIVE,
    current_period_end_time=None,
    cancel_at_period_end=False,
    provider_time=NOW,
    details_time=NOW,
    rank=0,
)
PAID = PaymentPaid(
    objects=(),
    subscription_id="I-1",
    customer_id="payer-1",
    checkout_id="ORDER1",
    claim=OURS,
    lines=(),
    currency_code="USD",
    paid_micros=1,
    paid_time=NOW,
)
CLAIMED = SubscriptionClaimed("I-1", "payer-1", "ORDER1", OURS)


@pytest.mark.parametrize(
    ("observation", "named"),
    [
        (OBSERVED, Named("I-1", "payer-1", claim=OURS)),
        (
            PaymentProgressed((), "I-1", "payer-1", OURS, PaymentProgress.PENDING, NOW, 0),
            Named("I-1", "payer-1", claim=OURS),
        ),
        (PAID, Named("I-1", "payer-1", "ORDER1", OURS)),
        (CLAIMED, Named("I-1", "payer-1", "ORDER1", OURS)),
    ],
)
def test_an_observation_names_whoever_may_know_its_owner(
    observation: Observation, named: Named
) -> None:
    assert name_all([observation]) == [named]


def test_the_checkout_of_a_subscription_speaks_for_all_that_is_told_with_it() -> None:
    together = Named("I-1", "payer-1", "ORDER1", OURS)
    assert name_all([CLAIMED, OBSERVED]) == name_all([OBSERVED, CLAIMED]) == [together, together]


def test_everybody_is_whoever_one_of_our_rows_names() -> None:
    rows = replace(EVERYBODY, of_checkout="org-0", proven="org-5")
    assert rows.everybody == {"org-0", "org-1", "org-2", "org-4"}
    assert Owners(claimed="org-3", proven="org-5").everybody == frozenset()
