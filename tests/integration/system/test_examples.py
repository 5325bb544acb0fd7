"""Every example of the wallet's protos, in their order, against running services.

Once as an operator sends them, with grpcurl, and once through the generated code.
"""

from typing import Any

from tests.support.examples import Send, every_way, require_story
from tests.support.rpc_comments import WALLET
from tests.support.stack import Stack

# What the last message of each answer says, in the order of the examples; None where it is silent.
ANSWERS: list[tuple[str, Any]] = [
    ("CreateWallet", {"wallet": {"organizationId": "org-1", "currencyCode": "USD"}}),
    ("GetWallet", {"wallet": {"depletedBelowMicros": "1", "depleted": True, "frozen": None}}),
    (
        "UpdateWallet",
        {"wallet": {"depletedBelowMicros": "7500", "resumeAboveMicros": "1000000"}},
    ),
    ("ListWallets", {"wallets": [{"organizationId": "org-1"}], "nextPageToken": None}),
    (
        "Credit",
        {
            "entries": [{"type": "ENTRY_TYPE_TOP_UP", "amountMicros": "25000000"}],
            "wallet": {"balanceMicros": "25000000", "depleted": None},
            "replayed": None,
        },
    ),
    (
        "Debit",
        {
            "entry": {
                "sequence": "2",
                "type": "ENTRY_TYPE_DEBIT",
                "amountMicros": "-7500",
                "description": "SMS to +1 555 0100",
            },
            "wallet": {"balanceMicros": "24992500", "availableMicros": "24992500"},
        },
    ),
    (
        "BatchDebit",
        {
            "results": [
                {
                    "response": {
                        "entry": {"referenceId": "msg-2"},
                        "wallet": {"balanceMicros": "24985000"},
                    }
                }
            ]
        },
    ),
    (
        "ApplyPayment",
        {
            "storedRevision": "2",
            "entries": [{"type": "ENTRY_TYPE_PAYMENT"}, {"type": "ENTRY_TYPE_REVERSAL"}],
            "wallet": {"balanceMicros": "44985000"},
            "collectedMicros": "5000000",
            "owedMicros": None,
        },
    ),
    (
        "AdjustBalance",
        {
            "entries": [{"description": "credited twice", "actor": "ann"}],
            "wallet": {"balanceMicros": "44485000"},
        },
    ),
    (
        "PlaceHold",
        {
            "hold": {
                "referenceId": "msg-3",
                "state": "HOLD_STATE_OPEN",
                "remainingMicros": "15000",
            },
            "wallet": {"balanceMicros": "44485000", "heldMicros": "15000"},
        },
    ),
    (
        "PlaceHold",
        {
            "hold": {"description": "MMS to +1 555 0100", "metadata": {"campaign": "spring"}},
            "wallet": {"heldMicros": "30000", "availableMicros": "44455000"},
        },
    ),
    (
        "CaptureHold",
        {
            "hold": {"state": "HOLD_STATE_CAPTURED", "capturedMicros": "7500"},
            "entries": [{"type": "ENTRY_TYPE_CAPTURE"}, {"type": "ENTRY_TYPE_RELEASE"}],
            "wallet": {"balanceMicros": "44477500", "heldMicros": "15000"},
        },
    ),
    (
        "ReleaseHold",
        {"hold": {"state": "HOLD_STATE_RELEASED"}, "wallet": {"heldMicros": None}},
    ),
    ("GetHold", {"hold": {"referenceId": "msg-3", "state": "HOLD_STATE_CAPTURED"}}),
    ("ListHolds", {"holds": [{"referenceId": "msg-4"}, {"referenceId": "msg-3"}]}),
    (
        "FreezeWallet",
        {
            "wallet": {
                "frozen": True,
                "freezes": [{"reason": "FREEZE_REASON_OPERATOR", "note": "fraud?", "actor": "ann"}],
            }
        },
    ),
    ("UnfreezeWallet", {"wallet": {"frozen": None, "entryCount": "13", "revision": "4"}}),
    ("ListEntries", {"entries": [{"sequence": "2", "referenceId": "msg-1"}]}),
    ("ListEntries", {"entries": None, "nextPageToken": None}),
    ("GetBalanceAt", {"balanceMicros": None, "lastEntry": None}),
    (
        "VerifyLedger",
        {"summary": {"verifiedWallets": "1", "verifiedEntries": "13", "findingCount": None}},
    ),
    (
        "RepairWallet",
        {"entries": None, "findings": None, "wallet": {"balanceMicros": "44477500"}},
    ),
    (
        "GetTrialBalance",
        {
            "accounts": [
                {"account": "COUNTERPARTY_ACCOUNT_WALLETS", "totalMicros": "44477500"},
                {"account": "COUNTERPARTY_ACCOUNT_PROVIDER_CLEARING", "totalMicros": "-45000000"},
                {"account": "COUNTERPARTY_ACCOUNT_MESSAGE_REVENUE", "totalMicros": "22500"},
                {"account": "COUNTERPARTY_ACCOUNT_PROMOTION", "totalMicros": None},
                {"account": "COUNTERPARTY_ACCOUNT_RECEIVABLE", "totalMicros": None},
                {"account": "COUNTERPARTY_ACCOUNT_ADJUSTMENT", "totalMicros": "500000"},
            ],
            "sumMicros": None,
        },
    ),
    ("GetLedgerStatistics", {"buckets": None}),
    ("ListAnomalies", {"anomalies": None}),
    (
        "GetOverview",
        {
            "overview": {
                "frozenCount": None,
                "owingCount": None,
                "depletedCount": None,
                "recentDebits": {"attemptCount": "4", "insufficientFundsCount": None},
            }
        },
    ),
    (
        "ListAnnouncements",
        {"announcements": [{"level": "wallet", "organizationId": "org-1"}] * 2},
    ),
    ("ReportWallet", {"storedRevision": "7"}),
]


@every_way
async def test_every_example_is_answered_as_the_story_goes(
    stopped_stack: Stack, send: Send
) -> None:
    await stopped_stack.start("wallet", "campaign")
    await require_story(send, stopped_stack.addresses, WALLET, ANSWERS)
