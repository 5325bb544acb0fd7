"""The providers that are simulated where nobody has said where the real ones are."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Simulator:
    """How one provider is stood in for."""

    title: str
    module: str
    # Where its API is. Whoever sets this, or one of `told`, means the real one.
    base_setting: str
    # What services know it by; made up where it is not set.
    credentials: Mapping[str, Callable[[], str]]
    state_file: str
    # What else services are told of it.
    told: Mapping[str, str] = field(default_factory=dict)

    def is_wanted(self, environment: Mapping[str, str]) -> bool:
        return not {self.base_setting, *self.told} & environment.keys()

    def settings(self, url: str) -> dict[str, str]:
        """What services are told of it."""
        return {self.base_setting: url, **self.told}


SIMULATORS: Mapping[str, Simulator] = {
    "twilio": Simulator(
        title="Twilio simulator",
        module="dev.simulators.twilio",
        base_setting="TWILIO_API_BASE",
        credentials={
            "TWILIO_ACCOUNT_SID": lambda: f"AC{secrets.token_hex(16)}",
            "TWILIO_AUTH_TOKEN": lambda: secrets.token_hex(16),
        },
        state_file="twilio_account.jsonl",
    ),
    "paypal": Simulator(
        title="PayPal simulator",
        module="dev.simulators.paypal",
        base_setting="PAYPAL_API_BASE",
        credentials={
            "PAYPAL_CLIENT_ID": lambda: f"A{secrets.token_urlsafe(30)}",
            "PAYPAL_CLIENT_SECRET": lambda: f"E{secrets.token_urlsafe(30)}",
            "PAYPAL_WEBHOOK_IDS": lambda: secrets.token_hex(9).upper(),
        },
        state_file="paypal_account.json",
        told={"PAYPAL_ENVIRONMENT": "sandbox"},
    ),
    "stripe": Simulator(
        title="Stripe simulator",
        module="dev.simulators.stripe",
        base_setting="STRIPE_API_BASE",
        credentials={
            "STRIPE_API_KEY": lambda: f"sk_test_{secrets.token_hex(24)}",
            "STRIPE_WEBHOOK_SECRETS": lambda: f"whsec_{secrets.token_hex(24)}",
        },
        state_file="stripe_account.json",
    ),
}


def simulated(environment: Mapping[str, str]) -> list[str]:
    """The names of the providers to stand in for."""
    return [name for name, each in SIMULATORS.items() if each.is_wanted(environment)]


def arguments_of(
    name: str, address: str, webhooks_url: str, data_directory: Path, environment: Mapping[str, str]
) -> Sequence[str]:
    """The module to run, and what it is told on its command line: nothing secret."""
    _, _, port = address.rpartition(":")
    simulator = SIMULATORS[name]
    own = (
        ("--account-sid", environment["TWILIO_ACCOUNT_SID"])
        if name == "twilio"
        else ("--webhook-url", f"{webhooks_url}/{name}")
    )
    state_file = str(data_directory / simulator.state_file)
    return simulator.module, "--port", port, "--state-file", state_file, *own


def paypal_root_file(data_directory: Path) -> Path:
    """Where the simulated PayPal keeps the root of its certificates."""
    state_file = data_directory / SIMULATORS["paypal"].state_file
    return state_file.with_suffix(".certificates") / "root.pem"
