"""PayPal's two worlds, which trust nothing of each other."""

from dataclasses import dataclass
from enum import StrEnum


class Environment(StrEnum):
    """Where money is real, and where it is not."""

    LIVE = "live"
    SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The hosts of one world. Its signing certificates lie on one of the API's."""

    api_host: str
    certificate_hosts: tuple[str, ...]
    certificate_name: str


ADDRESSES = {
    Environment.LIVE: Addresses(
        api_host="api-m.paypal.com",
        certificate_hosts=("api.paypal.com", "api-m.paypal.com"),
        certificate_name="messageverificationcerts.paypal.com",
    ),
    Environment.SANDBOX: Addresses(
        api_host="api-m.sandbox.paypal.com",
        certificate_hosts=("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
        certificate_name="messageverificationcerts.sandbox.paypal.com",
    ),
}
