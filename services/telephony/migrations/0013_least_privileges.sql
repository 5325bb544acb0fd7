-- The service's role keeps what its statements need: the keys of what it has written stay as they are, and what
-- is set by default is not chosen.
REVOKE INSERT, UPDATE ON organizations FROM telephony;

GRANT INSERT (organization_id), UPDATE (
    operator_block_note, operator_block_actor, operator_block_time, subscription_revision,
    subscription_state, subscription_good_standing, subscription_good_until, wallet_revision,
    wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_depleted_since, wallet_currency_code,
    reevaluate_time, wallet_owing_micros
) ON organizations TO telephony;

REVOKE INSERT ON subaccount_changes FROM telephony;

GRANT INSERT (
    organization_id, account_sid, wanted_from, wanted_to, observed_from, observed_to, cause, actor, note,
    error, create_time, ended_call_count, canceled_message_count
) ON subaccount_changes TO telephony;
