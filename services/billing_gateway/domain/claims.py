"""Proves that Tollgate itself wrote whose an object is: a backup may have lost our row of it."""

import hmac
from dataclasses import dataclass, field

from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.domain.values import Provider

PROOF_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ClaimKeys:
    """The keys of proofs: the first signs, all verify. Without any nothing is proven."""

    keys: tuple[bytes, ...] = field(repr=False)

    def prove(self, provider: Provider, organization_id: str, intent_id: str) -> str:
        """Return what proves a claim; nothing without keys."""
        if not self.keys:
            return ""
        return _proof(self.keys[0], provider, organization_id, intent_id)

    def is_proven(self, provider: Provider, claim: Claim) -> bool:
        """Tell whether one of the keys made the claim's proof."""
        told = claim.proof.encode()
        proofs = [
            _proof(key, provider, claim.organization_id, claim.intent_id) for key in self.keys
        ]
        return any(hmac.compare_digest(proof.encode(), told) for proof in proofs)


def _proof(key: bytes, provider: Provider, organization_id: str, intent_id: str) -> str:
    message = f"{provider}\0{organization_id}\0{intent_id}".encode()
    return hmac.digest(key, message, "sha256").hex()[:PROOF_LENGTH]
