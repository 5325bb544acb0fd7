"""What was asked and answered, held against the ledgers and the model."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

from tests.support.waiting import eventually
from tests.support.wallet_load.doors import LATE_WINDOW, Door
from tests.support.wallet_load.history import Call, History
from tests.support.wallet_load.requests import Acquaintance
from tests.support.wallet_model.rules import WalletModel
from tests.support.wallet_replay.answers import Answers
from tests.support.wallet_replay.contents import Contents
from tests.support.wallet_replay.ledger import Ledger
from tests.support.wallet_replay.order import Order
from tollgate.wallet.v1.hold_pb2 import HOLD_STATE_OPEN, Hold
from tollgate.wallet.v1.ledger_pb2 import VerifySummary
from tollgate.wallet.v1.wallet_pb2 import Entry
from tollgate.wallet.v1.wallet_service_holds_pb2 import ListHoldsRequest
from tollgate.wallet.v1.wallet_service_ledger_pb2 import GetTrialBalanceRequest, VerifyLedgerRequest
from tollgate.wallet.v1.wallet_service_pb2 import ListEntriesRequest

# However busy the machine is; a killed process is restarted within it, too.
EXPIRY_DELAY_MAX = timedelta(seconds=60)


async def hold_against_model(
    door: Door, wallets: Iterable[Acquaintance], history: History
) -> Counter[str]:
    """Fail where service and model differ; return how often what was done and refused."""
    done = Counter({"BatchDebit": history.batch_count})
    for wallet in wallets:
        # They expire though nobody asks for anything any more.
        await eventually(partial(list_open_holds, door, wallet), lambda holds: not holds, 60.0)
        entries = await read_ledger(door, wallet.organization_id)
        model = WalletModel(wallet.currency_code, LATE_WINDOW)
        done += replay(history.calls[wallet.organization_id], entries, model)
    await require_clean_books(door)
    return done


def replay(calls: Sequence[Call], entries: Sequence[Entry], model: WalletModel) -> Counter[str]:
    """Hold one wallet's ledger, and every answer about it, against the model."""
    order = Order(calls, len(entries))
    ledger = Ledger(model, entries, calls, order, EXPIRY_DELAY_MAX)
    answers = Answers(ledger, calls, order)
    for boundary in ledger.boundaries():
        answers.meet(boundary)
    answers.finish()
    contents = Contents(calls, order, entries, ledger.written)
    contents.check()
    return ledger.effects + answers.refusals + contents.answers


async def list_open_holds(door: Door, wallet: Acquaintance) -> Sequence[Hold]:
    """Return some of the holds that are open."""
    request = ListHoldsRequest(organization_id=wallet.organization_id, state=HOLD_STATE_OPEN)
    return (await door.wallet.ListHolds(request)).holds


async def read_ledger(door: Door, organization_id: str) -> Sequence[Entry]:
    """Return all entries, oldest first; their sequence has no gap."""
    entries: list[Entry] = []
    request = ListEntriesRequest(organization_id=organization_id, page_size=500)
    while not entries or request.page_token:
        page = await door.wallet.ListEntries(request)
        entries.extend(page.entries)
        request.page_token = page.next_page_token
    entries.reverse()
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    return entries


async def require_clean_books(door: Door) -> None:
    """Demand that chains and balances prove themselves, and that no money came from nowhere."""
    summary = VerifySummary(finding_count=-1)
    async for response in door.wallet.VerifyLedger(VerifyLedgerRequest()):
        assert not response.HasField("finding"), response
        summary = response.summary
    assert (summary.finding_count, summary.repaired_count) == (0, 0)
    for currency_code in ("USD", "EUR"):
        request = GetTrialBalanceRequest(currency_code=currency_code)
        answer = await door.wallet.GetTrialBalance(request)
        assert any(account.total_micros for account in answer.accounts)
        assert answer.sum_micros == sum(each.total_micros for each in answer.accounts) == 0
