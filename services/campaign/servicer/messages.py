"""Values become messages, and what filters ask for becomes values."""

from collections.abc import Iterable

from libs.levels import SubscriptionLevel, WalletLevel
from libs.rpc.times import to_timestamp
from services.campaign.domain.changes import CampaignChange, ChangeCause
from services.campaign.domain.values import (
    Campaign,
    CampaignState,
    Eligibility,
    EmergencyStop,
    Pause,
    PauseReason,
)
from tollgate.campaign.v1 import campaign_pb2


def optional_state(value: campaign_pb2.CampaignState.ValueType) -> CampaignState | None:
    """Return the state that a filter asks for, if any."""
    if value == campaign_pb2.CAMPAIGN_STATE_UNSPECIFIED:
        return None
    return CampaignState(campaign_pb2.CampaignState.Name(value).removeprefix("CAMPAIGN_STATE_"))


def optional_reason(value: campaign_pb2.PauseReason.ValueType) -> PauseReason | None:
    """Return the reason that a filter asks for, if any."""
    if value == campaign_pb2.PAUSE_REASON_UNSPECIFIED:
        return None
    return PauseReason(campaign_pb2.PauseReason.Name(value).removeprefix("PAUSE_REASON_"))


def optional_cause(value: campaign_pb2.CampaignChangeCause.ValueType) -> ChangeCause | None:
    """Return the cause that a filter asks for, if any."""
    if value == campaign_pb2.CAMPAIGN_CHANGE_CAUSE_UNSPECIFIED:
        return None
    name = campaign_pb2.CampaignChangeCause.Name(value)
    return ChangeCause(name.removeprefix("CAMPAIGN_CHANGE_CAUSE_"))


def _state_value(state: CampaignState | None) -> campaign_pb2.CampaignState.ValueType:
    return campaign_pb2.CampaignState.Value(f"CAMPAIGN_STATE_{state or 'UNSPECIFIED'}")


def _reason_values(reasons: Iterable[PauseReason]) -> list[campaign_pb2.PauseReason.ValueType]:
    return [reason_value(reason) for reason in reasons]


def reason_value(reason: PauseReason | None) -> campaign_pb2.PauseReason.ValueType:
    """Return a reason on the wire; without one, none."""
    return campaign_pb2.PauseReason.Value(f"PAUSE_REASON_{reason or 'UNSPECIFIED'}")


def campaign_message(campaign: Campaign) -> campaign_pb2.Campaign:
    """Return a campaign on the wire."""
    return campaign_pb2.Campaign(
        campaign_id=campaign.campaign_id,
        organization_id=campaign.organization_id,
        brand_id=campaign.brand_id,
        name=campaign.name,
        state=_state_value(campaign.state),
        pause_reason=reason_value(campaign.pause_reason),
        blockers=_reason_values(campaign.blockers),
        pause_time=to_timestamp(campaign.pause_time),
        note=campaign.note,
        create_time=to_timestamp(campaign.create_time),
        update_time=to_timestamp(campaign.update_time),
    )


def change_message(change: CampaignChange) -> campaign_pb2.CampaignChange:
    """Return a line of history on the wire."""
    return campaign_pb2.CampaignChange(
        organization_id=change.organization_id,
        campaign_id=change.campaign_id,
        from_state=_state_value(change.from_state),
        to_state=_state_value(change.to_state),
        pause_reason=reason_value(change.pause_reason),
        cause=campaign_pb2.CampaignChangeCause.Value(
            f"CAMPAIGN_CHANGE_CAUSE_{change.origin.cause}"
        ),
        actor=change.origin.actor,
        note=change.origin.note,
        create_time=to_timestamp(change.create_time),
    )


def emergency_stop_message(stop: EmergencyStop) -> campaign_pb2.EmergencyStop:
    """Return the emergency stop on the wire."""
    return campaign_pb2.EmergencyStop(
        active=stop.stands,
        note=stop.note,
        actor=stop.actor,
        create_time=to_timestamp(stop.change_time if stop.number else None),
    )


def eligibility_message(eligibility: Eligibility) -> campaign_pb2.Eligibility:
    """Return an eligibility, and what it rests on, on the wire."""
    organization = eligibility.organization
    return campaign_pb2.Eligibility(
        organization_id=organization.organization_id,
        eligible=eligibility.eligible,
        blockers=_reason_values(eligibility.blockers),
        subscription=_subscription_message(organization.subscription),
        wallet=_wallet_message(organization.wallet),
        pause=_pause_message(organization.pause),
    )


def _pause_message(pause: Pause | None) -> campaign_pb2.OrganizationPause | None:
    if pause is None:
        return None
    return campaign_pb2.OrganizationPause(
        note=pause.note, actor=pause.actor, create_time=to_timestamp(pause.create_time)
    )


def _subscription_message(
    level: SubscriptionLevel | None,
) -> campaign_pb2.SubscriptionLevel | None:
    if level is None:
        return None
    return campaign_pb2.SubscriptionLevel(
        revision=level.revision,
        good_standing=level.good_standing,
        good_until=to_timestamp(level.good_until),
    )


def _wallet_message(level: WalletLevel | None) -> campaign_pb2.WalletLevel | None:
    if level is None:
        return None
    return campaign_pb2.WalletLevel(
        revision=level.revision,
        frozen=level.frozen,
        depleted=level.depleted,
        owing_micros=level.owing_micros,
    )
