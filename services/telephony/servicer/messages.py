"""Subaccounts as they are on the wire."""

from google.protobuf.message import Message

from libs.levels import SubscriptionLevel, WalletLevel
from libs.rpc.times import to_timestamp
from services.telephony.domain.aftermath import Aftermath
from services.telephony.domain.changes import SubaccountChange
from services.telephony.domain.provisioning import Provision
from services.telephony.domain.trouble import TwilioHealth
from services.telephony.domain.values import (
    Blocker,
    ObservedState,
    OperatorBlock,
    Standing,
    WantedState,
)
from services.telephony.operations.sending import Sight
from tollgate.telephony.v1 import (
    organization_pb2,
    provision_pb2,
    subaccount_pb2,
    twilio_health_pb2,
)


def optional_flag(request: Message, field: str) -> bool | None:
    """Return a flag, or None if it was not set."""
    flag: bool = getattr(request, field)
    return flag if request.HasField(field) else None


def wanted_state(value: subaccount_pb2.WantedState.ValueType) -> WantedState | None:
    """Return what is asked for, or None for anything."""
    if value == subaccount_pb2.WANTED_STATE_UNSPECIFIED:
        return None
    return WantedState(subaccount_pb2.WantedState.Name(value).removeprefix("WANTED_STATE_"))


def observed_state(value: subaccount_pb2.ObservedState.ValueType) -> ObservedState | None:
    """Return what is asked for, or None for anything."""
    if value == subaccount_pb2.OBSERVED_STATE_UNSPECIFIED:
        return None
    return ObservedState(subaccount_pb2.ObservedState.Name(value).removeprefix("OBSERVED_STATE_"))


def blocker_value(blocker: Blocker) -> subaccount_pb2.Blocker.ValueType:
    """Return a blocker on the wire."""
    return subaccount_pb2.Blocker.Value(f"BLOCKER_{blocker}")


def subaccount_message(standing: Standing) -> subaccount_pb2.Subaccount:
    """Return a subaccount on the wire."""
    subaccount = standing.subaccount
    return subaccount_pb2.Subaccount(
        account_sid=subaccount.account_sid,
        organization_id=subaccount.organization_id,
        brand_id=subaccount.brand_id,
        wanted=_wanted_value(subaccount.wanted),
        observed=_observed_value(subaccount.observed),
        blockers=[blocker_value(blocker) for blocker in standing.blockers],
        drifted=subaccount.drifted,
        last_error=subaccount.last_error,
        attempt_count=subaccount.attempt_count,
        next_attempt_time=to_timestamp(subaccount.next_attempt_time),
        observe_time=to_timestamp(subaccount.observe_time),
        create_time=to_timestamp(subaccount.create_time),
        drift_time=to_timestamp(subaccount.drift_time),
        failing_time=to_timestamp(subaccount.failing_time),
        aftermath=_aftermath_message(subaccount.aftermath) if subaccount.aftermath else None,
        operator_block=_operator_block_message(standing.operator_block),
    )


def organization_message(sight: Sight) -> organization_pb2.Organization:
    """Return whether an organization may send, and what that rests on, on the wire."""
    organization = sight.organization
    return organization_pb2.Organization(
        organization_id=organization.organization_id,
        blockers=[blocker_value(blocker) for blocker in sight.blockers],
        operator_block=_operator_block_message(organization.operator_block),
        subscription=_subscription_message(organization.subscription),
        wallet=_wallet_message(organization.wallet),
    )


def _operator_block_message(block: OperatorBlock | None) -> subaccount_pb2.OperatorBlock | None:
    if block is None:
        return None
    return subaccount_pb2.OperatorBlock(
        note=block.note, actor=block.actor, create_time=to_timestamp(block.create_time)
    )


def _subscription_message(
    level: SubscriptionLevel | None,
) -> organization_pb2.SubscriptionLevel | None:
    if level is None:
        return None
    return organization_pb2.SubscriptionLevel(
        revision=level.revision,
        good_standing=level.good_standing,
        good_until=to_timestamp(level.good_until),
    )


def _wallet_message(level: WalletLevel | None) -> organization_pb2.WalletLevel | None:
    if level is None:
        return None
    return organization_pb2.WalletLevel(
        revision=level.revision,
        frozen=level.frozen,
        depleted=level.depleted,
        depleted_since=to_timestamp(level.depleted_since),
        owing_micros=level.owing_micros,
    )


def _aftermath_message(aftermath: Aftermath) -> subaccount_pb2.Aftermath:
    return subaccount_pb2.Aftermath(
        begin_time=to_timestamp(aftermath.begin_time),
        ended_call_count=aftermath.ended_call_count,
        canceled_message_count=aftermath.canceled_message_count,
        found_call_count=aftermath.found_call_count,
        clear_time=to_timestamp(aftermath.clear_time),
        next_look_time=to_timestamp(aftermath.due_time),
        attempt_count=aftermath.attempt_count,
        last_error=aftermath.last_error,
        failing_time=to_timestamp(aftermath.failing_time),
    )


def change_message(change: SubaccountChange) -> subaccount_pb2.SubaccountChange:
    """Return a line of history on the wire."""
    cause = f"SUBACCOUNT_CHANGE_CAUSE_{change.reason.cause}"
    return subaccount_pb2.SubaccountChange(
        organization_id=change.organization_id,
        account_sid=change.account_sid,
        wanted_from=_wanted_value(change.wanted_from),
        wanted_to=_wanted_value(change.wanted_to),
        observed_from=_observed_value(change.observed_from),
        observed_to=_observed_value(change.observed_to),
        cause=subaccount_pb2.SubaccountChangeCause.Value(cause),
        actor=change.reason.actor,
        note=change.reason.note,
        error=change.error,
        create_time=to_timestamp(change.create_time),
        ended_call_count=change.ended_call_count,
        canceled_message_count=change.canceled_message_count,
    )


def provision_message(provision: Provision) -> provision_pb2.Provision:
    """Return an intent on the wire."""
    return provision_pb2.Provision(
        organization_id=provision.organization_id,
        reference_id=provision.reference_id,
        brand_id=provision.brand_id,
        friendly_name=provision.friendly_name,
        account_sid=provision.account_sid or "",
        double_account_sids=provision.double_account_sids,
        last_error=provision.last_error,
        attempt_count=provision.attempt_count,
        next_attempt_time=to_timestamp(provision.due_time),
        create_time=to_timestamp(provision.create_time),
        register_time=to_timestamp(provision.register_time),
        failing_time=to_timestamp(provision.failing_time),
    )


def health_message(health: TwilioHealth) -> twilio_health_pb2.TwilioHealth:
    """Return how Twilio stands on the wire."""
    return twilio_health_pb2.TwilioHealth(
        state=twilio_health_pb2.TwilioState.Value(f"TWILIO_STATE_{health.state}"),
        since_time=to_timestamp(health.since),
        error=health.last_error,
        probe_count=health.probe_count,
        next_probe_time=to_timestamp(health.probe_due_time),
    )


def _wanted_value(wanted: WantedState | None) -> subaccount_pb2.WantedState.ValueType:
    return subaccount_pb2.WantedState.Value(f"WANTED_STATE_{wanted or 'UNSPECIFIED'}")


def _observed_value(observed: ObservedState) -> subaccount_pb2.ObservedState.ValueType:
    return subaccount_pb2.ObservedState.Value(f"OBSERVED_STATE_{observed}")
