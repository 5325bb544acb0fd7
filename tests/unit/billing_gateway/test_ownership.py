"""Whose an event is."""

from dataclasses import replace

import pytest

from services.billing_gateway.domain.ownership import Owners, Unowned, find_owner

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
