"""Organizations and systems as the operator console sees them: well, and with one thing amiss."""

import json
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.descriptor_pool import Default
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from services.operator_console.domain.commands import SERVICES, Commands
from services.operator_console.domain.findings import Circumstances, Finding, Unanswered
from services.operator_console.domain.organization.case import OrganizationCase
from services.operator_console.domain.system.case import SystemCase
from tollgate.billing_gateway.v1 import subscription_pb2
from tollgate.campaign.v1 import campaign_pb2
from tollgate.operator_console.v1 import diagnosis_pb2, overview_pb2
from tollgate.telephony.v1 import organization_pb2, subaccount_pb2, twilio_health_pb2
from tollgate.wallet.v1 import wallet_pb2

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
COMMANDS = Commands({name: f"{name}:1" for name in SERVICES}, "-cert me.crt")
UNIT = 1_000_000

ChangeSeen = Callable[[diagnosis_pb2.Seen], object]
ChangeOverview = Callable[[overview_pb2.Overview], object]


def ago(**span: float) -> Timestamp:
    """Return a time before now."""
    timestamp = Timestamp()
    timestamp.FromDatetime(NOW - timedelta(**span))
    return timestamp


def seen_well() -> diagnosis_pb2.Seen:
    """Return an organization that has paid and sends."""
    active = subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
    subscription = subscription_pb2.Subscription(
        organization_id="org-1",
        provider_subscription_id="sub_1",
        state=active,
        good_standing=True,
        current_period_end_time=ago(days=-20),
        update_time=ago(days=10),
    )
    return diagnosis_pb2.Seen(
        wallet=wallet_pb2.Wallet(
            organization_id="org-1",
            currency_code="USD",
            balance_micros=5 * UNIT,
            available_micros=5 * UNIT,
            resume_above_micros=1,
        ),
        eligibility=campaign_pb2.Eligibility(
            organization_id="org-1",
            eligible=True,
            subscription=campaign_pb2.SubscriptionLevel(revision=1, good_standing=True),
            wallet=campaign_pb2.WalletLevel(revision=1),
        ),
        sending=organization_pb2.Organization(organization_id="org-1"),
        subaccounts=[
            subaccount_pb2.Subaccount(
                account_sid="AC1",
                wanted=subaccount_pb2.WANTED_STATE_ACTIVE,
                observed=subaccount_pb2.OBSERVED_STATE_ACTIVE,
            )
        ],
        twilio=twilio_health_pb2.TwilioHealth(state=twilio_health_pb2.TWILIO_STATE_OK),
        level=subscription_pb2.OrganizationLevel(revision=1, state=active, good_standing=True),
        subscriptions=[subscription],
    )


def organization_case(
    *changes: ChangeSeen, unanswered: Mapping[str, Unanswered] | None = None
) -> OrganizationCase:
    """Return an organization that is well but for the changes."""
    seen = seen_well()
    for change in changes:
        change(seen)
    return OrganizationCase("org-1", seen, Circumstances(NOW, unanswered or {}, COMMANDS))


def system_case(
    *changes: ChangeOverview, unanswered: Mapping[str, Unanswered] | None = None
) -> SystemCase:
    """Return a system that is well but for the changes."""
    overview = overview_pb2.Overview()
    overview.telephony.twilio.state = twilio_health_pb2.TWILIO_STATE_OK
    overview.wallet.ledger_check.last_round_time.CopyFrom(ago(seconds=30))
    for change in changes:
        change(overview)
    return SystemCase(overview, Circumstances(NOW, unanswered or {}, COMMANDS))


def request_of(finding: Finding) -> Any:
    """Return the request of a pasted command. Raises if its fields are not the proto's."""
    words = shlex.split(finding.next_step)
    service, _, method = words[-1].rpartition("/")
    rpc = Default().FindServiceByName(service).FindMethodByName(method)
    request = GetMessageClass(rpc.input_type)()
    return ParseDict(json.loads(words[words.index("-d") + 1]), request)
