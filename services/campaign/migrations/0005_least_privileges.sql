-- The service's role keeps what its statements need: the keys of what it has written stay as they are, and what
-- is set by default is not chosen.
REVOKE ALL ON FUNCTION current_stop() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION current_stop() TO campaign;

REVOKE INSERT, UPDATE ON organizations FROM campaign;

GRANT INSERT (organization_id), UPDATE (
    organization_pause_note, organization_pause_actor, organization_pause_time, subscription_revision,
    subscription_state, subscription_good_standing, subscription_good_until, wallet_revision,
    wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_depleted_since, wallet_currency_code,
    reevaluate_time, wallet_owing_micros, settled_stop_number
) ON organizations TO campaign;

REVOKE INSERT ON campaigns FROM campaign;

GRANT INSERT (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
) ON campaigns TO campaign;

REVOKE INSERT ON campaign_changes FROM campaign;

GRANT INSERT (
    organization_id, campaign_id, from_state, to_state, pause_reason, cause, actor, note, stop_number,
    create_time
) ON campaign_changes TO campaign;
