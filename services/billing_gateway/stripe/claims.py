"""Whose an object at Stripe is, by what is written in its metadata."""

from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.reading import JsonObject, get_object, optional_id

ORGANIZATION = "organization_id"
INTENT = "tollgate_intent"
PROOF = "tollgate_proof"


def write_claim(claim: Claim) -> dict[str, str]:
    """Return the metadata that read_claim reads."""
    written = {ORGANIZATION: claim.organization_id, INTENT: claim.intent_id, PROOF: claim.proof}
    return {name: value for name, value in written.items() if value}


def read_claim(value: JsonObject, *, reference: str = "") -> Claim | None:
    """Return whose an object says that it is. What has a proof comes before a bare reference."""
    metadata = get_object(value, "metadata")
    organization_id = optional_id(metadata, ORGANIZATION)
    intent_id, proof = optional_id(metadata, INTENT), optional_id(metadata, PROOF)
    if organization_id and intent_id and proof:
        return Claim(organization_id, intent_id, proof)
    claimed = reference or organization_id
    return Claim(claimed) if claimed else None
