"""What an example may be made of, and how often."""

from datetime import timedelta

from hypothesis import strategies as st

from dev.simulators.faults import (
    Cut,
    Fault,
    Hang,
    LostAnswer,
    Overtaken,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from tests.integration.system.pausing_model.facts import now
from tests.integration.system.pausing_model.rules import DEBT_TOLERANCE_MICROS
from tests.integration.system.pausing_model.site import (
    LATE_MILLISECONDS_MAX,
    NAMES,
    SLOW_MILLISECONDS,
)
from tests.support.level_steps import FAR_FUTURE

# All but the last begin with all that it takes to send; of that one nobody has heard.
ORGANIZATIONS, BEGUN = 4, 3
ACCOUNTS_EACH = 2
CAMPAIGNS_EACH, BEGUN_CAMPAIGNS = 4, 2

organizations = st.integers(0, ORGANIZATIONS - 1)
accounts = st.integers(0, ACCOUNTS_EACH - 1)
campaigns = st.integers(0, CAMPAIGNS_EACH - 1)
services = st.sampled_from(NAMES)


def often(**weights: int) -> st.SearchStrategy[str]:
    """Return names, each as often as is said."""
    return st.sampled_from([name for name, weight in weights.items() for _ in range(weight)])


subscriptions = often(good=5, bad=1, ending=2, ending_later=3)
wallets = often(good=8, frozen=1, depleted=1, owing=1, owing_little=1)
# Told to each service in an order of its own.
news = st.lists(
    st.one_of(
        subscriptions.map(lambda kind: ("subscription", kind)),
        wallets.map(lambda kind: ("wallet", kind)),
    ),
    min_size=2,
    max_size=4,
)
# After whoever asked has given up, and mostly after what is asked for next.
lates = st.builds(
    Overtaken, later=st.sampled_from([1, 1, 2]), milliseconds_max=st.just(LATE_MILLISECONDS_MAX)
)
# In time, but long enough for what is told meanwhile.
slows = st.builds(Overtaken, later=st.just(9), milliseconds_max=st.just(SLOW_MILLISECONDS))
faults: st.SearchStrategy[Fault] = st.one_of(
    lates,
    slows,
    st.sampled_from(
        [
            Hang(),
            Cut(),
            LostAnswer(),
            Unavailable(500),
            Unavailable(503),
            TooManyRequests(),
            TooManyRequests(0),
            TooManyRequests(1),
            Refusal("20003", 401),
        ]
    ),
)
# What Twilio fails at while an account is to be activated.
failings = st.one_of(
    st.tuples(st.just("fetch_account"), slows),
    st.tuples(st.just("update_account"), lates),
    st.tuples(st.sampled_from(["fetch_account", "update_account"]), faults),
)


def subscription_level(revision: int, kind: str) -> SubscriptionLevel:
    is_good = kind != "bad"
    # Amid all else, or when all else is over.
    ends = {"ending": timedelta(seconds=0.3), "ending_later": timedelta(seconds=1.5)}
    return SubscriptionLevel(
        revision,
        SubscriptionState.ACTIVE if is_good else SubscriptionState.PAST_DUE,
        good_standing=is_good,
        good_until=now() + ends[kind] if kind in ends else FAR_FUTURE,
    )


def wallet_level(revision: int, kind: str) -> WalletLevel:
    frozen, depleted = kind == "frozen", kind == "depleted"
    owing = {"owing": DEBT_TOLERANCE_MICROS + 1, "owing_little": DEBT_TOLERANCE_MICROS}
    return WalletLevel(
        revision,
        frozen=frozen,
        freeze_reasons=("OPERATOR",) if frozen else (),
        depleted=depleted,
        depleted_since=now() if depleted else None,
        owing_micros=owing.get(kind, 0),
        currency_code="USD",
    )
