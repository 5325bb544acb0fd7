"""Whose an event is."""

from dataclasses import replace

import pytest

from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
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
from services.billing_gateway.domain.values import CheckoutState

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
