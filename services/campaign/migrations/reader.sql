-- What campaign_reader, the role of people, may see: each column that is named here. It is granted
-- anew whenever migrations have run. Nothing is kept from it.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM campaign_reader;

GRANT SELECT (
    organization_id, sequence, campaign_id, from_state, to_state, pause_reason, cause, actor, note,
    stop_number, create_time
) ON campaign_changes TO campaign_reader;

GRANT SELECT (
    campaign_id, organization_id, brand_id, name, state, pause_reason, pause_time, manual_pause_note,
    manual_pause_actor, manual_pause_time, create_time, update_time, revision
) ON campaigns TO campaign_reader;

GRANT SELECT (number, note, actor, change_time) ON emergency_stop TO campaign_reader;

GRANT SELECT (
    action_id, create_time, action, actor, note, organization_id, reference
) ON operator_actions TO campaign_reader;

GRANT SELECT (
    organization_id, organization_pause_note, organization_pause_actor, organization_pause_time,
    subscription_revision, subscription_state, subscription_good_standing, subscription_good_until,
    wallet_revision, wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_depleted_since,
    wallet_currency_code, reevaluate_time, wallet_owing_micros, settled_stop_number
) ON organizations TO campaign_reader;

GRANT SELECT (name, checksum, apply_time) ON schema_migrations TO campaign_reader;
