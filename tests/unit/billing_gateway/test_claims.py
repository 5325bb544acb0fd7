"""What Tollgate wrote at a provider proves itself."""

from dataclasses import replace
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.paypal import body
from services.billing_gateway.stripe import claims

OLD, NEW = b"o" * 32, b"n" * 32
PAYPAL, STRIPE = Provider.PAYPAL, Provider.STRIPE

names = st.text(max_size=8)


def proven(keys: ClaimKeys, organization_id: str, intent_id: str) -> Claim:
    proof = keys.prove(PAYPAL, organization_id, intent_id)
    return Claim(organization_id, intent_id, proof)


@given(names, names)
def test_a_proof_holds_under_every_active_key(organization_id: str, intent_id: str) -> None:
    claim = proven(ClaimKeys((OLD,)), organization_id, intent_id)
    assert ClaimKeys((OLD,)).is_proven(PAYPAL, claim)
    assert ClaimKeys((NEW, OLD)).is_proven(PAYPAL, claim)
    assert not ClaimKeys((NEW,)).is_proven(PAYPAL, claim)
    assert not ClaimKeys(()).is_proven(PAYPAL, claim)
    assert not ClaimKeys((OLD,)).is_proven(STRIPE, claim)


@given(names, names, names, names)
def test_a_proof_is_of_one_organization_and_one_intent(
    organization_id: str, intent_id: str, other_organization_id: str, other_intent_id: str
) -> None:
    assume("\0" not in organization_id + other_organization_id + intent_id + other_intent_id)
    assume((organization_id, intent_id) != (other_organization_id, other_intent_id))
    claim = proven(ClaimKeys((OLD,)), organization_id, intent_id)
    other = replace(claim, organization_id=other_organization_id, intent_id=other_intent_id)
    assert not ClaimKeys((OLD,)).is_proven(PAYPAL, other)


@given(st.uuids())
def test_a_proof_is_read_as_it_was_written_at_either_provider(intent: UUID) -> None:
    claim = proven(ClaimKeys((OLD,)), "org-1", intent.hex)
    assert body.read_claim({"custom_id": body.write_claim(claim)}) == claim
    assert claims.read_claim({"metadata": claims.write_claim(claim)}) == claim


@given(names)
def test_nothing_is_proven_by_anything_else(proof: str) -> None:
    assert not ClaimKeys((OLD,)).is_proven(PAYPAL, Claim("org-1", "intent-1", proof))


def test_without_keys_nothing_is_written() -> None:
    assert ClaimKeys(()).prove(PAYPAL, "org-1", "intent-1") == ""
    assert not ClaimKeys(()).is_proven(PAYPAL, Claim("org-1", "intent-1", ""))
