"""A chain of certificates of the sandbox's name, made once: keys take their time."""

import pytest

from dev.simulators.paypal.certificates import SigningChain, make_chain
from tests.unit.billing_gateway.paypal.signing import NOW, SANDBOX


@pytest.fixture(scope="session")
def chain() -> SigningChain:
    """Return the chain that PayPal signs with."""
    return make_chain(SANDBOX.certificate_name, NOW)
