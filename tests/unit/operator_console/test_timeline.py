"""One line for each thing that happened, newest first, at whichever service."""

from services.operator_console.domain.findings import money, span
from services.operator_console.domain.timeline import ENTRIES_MAX, Histories, to_timeline
from tests.support.console_cases import ago
from tollgate.billing_gateway.v1 import subscription_pb2, webhook_event_pb2
from tollgate.campaign.v1 import campaign_pb2
from tollgate.operations.v1 import operations_pb2
from tollgate.telephony.v1 import subaccount_pb2
from tollgate.wallet.v1 import wallet_pb2


def entry(type_: wallet_pb2.EntryType.ValueType, minutes: int) -> wallet_pb2.Entry:
    return wallet_pb2.Entry(
        type=type_,
        amount_micros=-7_500,
        balance_after_micros=2_000_000,
        currency_code="USD",
        reference_id=f"ref-{minutes}",
        create_time=ago(minutes=minutes),
    )


def test_tells_of_every_service_newest_first() -> None:
    histories = Histories(
        entries=[entry(wallet_pb2.ENTRY_TYPE_FREEZE, 6)],
        campaign_changes=[
            campaign_pb2.CampaignChange(
                campaign_id="c-1",
                to_state=campaign_pb2.CAMPAIGN_STATE_PAUSED,
                pause_reason=campaign_pb2.PAUSE_REASON_WALLET_FROZEN,
                cause=campaign_pb2.CAMPAIGN_CHANGE_CAUSE_WALLET,
                create_time=ago(minutes=5),
            )
        ],
        subaccount_changes=[
            subaccount_pb2.SubaccountChange(
                account_sid="AC1", error="no answer", create_time=ago(minutes=4)
            )
        ],
        subscription_changes=[
            subscription_pb2.SubscriptionChange(
                to_state=subscription_pb2.SUBSCRIPTION_STATE_SUSPENDED,
                cause=subscription_pb2.SUBSCRIPTION_CHANGE_CAUSE_EVENT,
                event_id="evt_1",
                change_time=ago(minutes=7),
            )
        ],
        events=[
            webhook_event_pb2.WebhookEvent(
                event_id="evt_1", event_type="paused", receive_time=ago(minutes=8)
            )
        ],
        actions=[
            (
                "billing_gateway",
                operations_pb2.OperatorAction(
                    action="SyncSubscription", actor="ann", note="why", create_time=ago(minutes=1)
                ),
            )
        ],
    )
    told = [(each.service, each.reference) for each in to_timeline(histories)]
    assert told == [
        ("billing_gateway", ""),
        ("telephony", "AC1"),
        ("campaign", "c-1"),
        ("wallet", "ref-6"),
        ("billing_gateway", "evt_1"),
        ("billing_gateway", "evt_1"),
    ]
    newest, failed, paused, *_ = to_timeline(histories)
    assert (newest.what, newest.actor, newest.note) == ("SyncSubscription", "ann", "why")
    assert failed.note == "no answer"
    assert paused.what == "campaign PAUSED (WALLET_FROZEN), by WALLET"


def test_a_freeze_is_told_by_its_reason_and_a_grace_without_a_subscription() -> None:
    freeze = entry(wallet_pb2.ENTRY_TYPE_FREEZE, 1)
    freeze.freeze_reason = wallet_pb2.FREEZE_REASON_DISPUTE
    grace = subscription_pb2.SubscriptionChange(
        cause=subscription_pb2.SUBSCRIPTION_CHANGE_CAUSE_GRACE, good_standing=True
    )
    frozen, graced = to_timeline(Histories(entries=[freeze], subscription_changes=[grace]))
    assert frozen.what == "FREEZE DISPUTE; balance 2.00 USD"
    assert graced.what == "subscription in good standing, by GRACE"


def test_a_run_of_spending_is_one_line() -> None:
    spending = [entry(wallet_pb2.ENTRY_TYPE_DEBIT, minutes) for minutes in (1, 2, 4)]
    spending.append(entry(wallet_pb2.ENTRY_TYPE_HOLD, 5))
    before = entry(wallet_pb2.ENTRY_TYPE_PAYMENT, 6)
    run, payment = to_timeline(Histories(entries=[*spending, before]))
    assert run.what.startswith("3 DEBIT, 1 HOLD since ")
    assert run.time == ago(minutes=1)
    assert payment.what == "PAYMENT -0.0075 USD; balance 2.00 USD"


def test_tells_no_more_than_a_person_reads() -> None:
    actions = [
        ("wallet", operations_pb2.OperatorAction(create_time=ago(minutes=number)))
        for number in range(ENTRIES_MAX + 1)
    ]
    assert len(to_timeline(Histories(actions=actions))) == ENTRIES_MAX


def test_amounts_and_spans_are_for_people() -> None:
    assert money(7_500, "USD") == "0.0075 USD"
    assert money(-1_234_500_000, "EUR") == "-1234.50 EUR"
    assert [span(seconds) for seconds in (-1, 90, 120, 7_200, 200_000)] == [
        *("0 s", "90 s", "2 min", "2 h", "2 d")
    ]


def test_what_a_newer_service_tells_has_a_number_where_there_is_no_name_yet() -> None:
    newer = wallet_pb2.Entry.FromString(
        entry(wallet_pb2.ENTRY_TYPE_FREEZE, 1).SerializeToString()
        + wallet_pb2.Entry(type=99, freeze_reason=98).SerializeToString()  # type: ignore[arg-type]
    )
    [line] = to_timeline(Histories(entries=[newer]))
    assert line.what.startswith("99 98; balance")
