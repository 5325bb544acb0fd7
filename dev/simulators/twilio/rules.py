"""What Twilio lets its customers do, as far as it can be switched."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What holds from now on; what is not given is as at the start."""

    # A subaccount that nobody created exists, and is active, from the first look at it.
    any_subaccount_exists: bool = True
    # Of subaccounts that are not closed; then no more can be created (21480).
    subaccounts_max: PositiveInt | None = None
    # The parent may end calls and cancel messages of a suspended subaccount; otherwise 10001.
    updates_while_suspended: bool = True
