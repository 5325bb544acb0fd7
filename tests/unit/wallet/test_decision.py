"""What holds for every command: the wallet must be opened, and time never goes back."""

from hypothesis import given
from hypothesis import strategies as st

from libs.errors import ErrorReason
from services.wallet.domain.commands import OpenWallet, SetThresholds
from tests.unit.wallet.ledger import (
    HOUR,
    START,
    Ledger,
    adjust,
    capture,
    credit,
    debit,
    freeze,
    lift,
    opened,
    place,
    refused,
    release,
)
from tests.unit.wallet.stories import Story, begun, briefly, stories, tell


def test_a_wallet_is_opened_once_and_in_one_currency() -> None:
    ledger = opened(100)
    ledger.execute(OpenWallet("USD"))
    assert refused(ledger, OpenWallet("EUR")).reason is ErrorReason.CURRENCY_MISMATCH
    assert ledger.wallet.funds.balance_micros == 100


def test_nothing_is_done_with_a_wallet_that_is_not_opened() -> None:
    money = debit(1, "r"), credit(1, "r"), adjust(1, "r"), place(1), capture(1)
    for command in (*money, release(), freeze(), lift(), SetThresholds(5, None)):
        error = refused(Ledger(), command)
        assert error.reason is ErrorReason.WALLET_NOT_FOUND
        assert error.metadata == {"organizationId": "org-1"}


@briefly
@given(stories(), st.lists(st.integers(-3, 3), min_size=1))
def test_the_ledgers_time_never_goes_back_though_the_clock_may(
    story: Story, hours: list[int]
) -> None:
    ledger = begun()
    for number, _ in enumerate(tell(story, ledger)):
        ledger.now += hours[number % len(hours)] * HOUR
    times = [entry.create_time for entry in ledger.entries]
    assert times == sorted(times)
    assert ledger.wallet.update_time == times[-1]


def test_a_clock_that_was_set_back_is_waited_for() -> None:
    ledger = opened(100)
    ledger.now = START + HOUR
    ledger.execute(debit(1, "before"))
    ledger.now = START
    (entry,) = ledger.execute(debit(1, "after")).entries
    (hold,) = ledger.execute(place(1)).holds
    assert entry.create_time == hold.create_time == START + HOUR
    assert hold.expire_time == START + 2 * HOUR
