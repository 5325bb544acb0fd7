-- What telephony_reader, the role of people, may see: each column that is named here. It is granted
-- anew whenever migrations have run.
-- Kept from it is where the reading of messages goes on, for that is Twilio's own token.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM telephony_reader;

GRANT SELECT (
    action_id, create_time, action, actor, note, organization_id, reference
) ON operator_actions TO telephony_reader;

GRANT SELECT (
    organization_id, operator_block_note, operator_block_actor, operator_block_time,
    subscription_revision, subscription_state, subscription_good_standing, subscription_good_until,
    wallet_revision, wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_depleted_since,
    wallet_currency_code, reevaluate_time, wallet_owing_micros
) ON organizations TO telephony_reader;

GRANT SELECT (
    organization_id, reference_id, brand_id, friendly_name, tag, account_sid, double_account_sids,
    last_error, refusal_code, attempt_count, due_time, claim_number, lease_end_time, next_create_time,
    register_time, create_time, failing_time
) ON provisions TO telephony_reader;

GRANT SELECT (name, checksum, apply_time) ON schema_migrations TO telephony_reader;

GRANT SELECT (
    organization_id, sequence, account_sid, wanted_from, wanted_to, observed_from, observed_to, cause,
    actor, note, error, create_time, ended_call_count, canceled_message_count
) ON subaccount_changes TO telephony_reader;

GRANT SELECT (
    account_sid, organization_id, brand_id, wanted, observed, last_error, attempt_count,
    next_attempt_time, claim_number, lease_end_time, recheck_time, observe_time, create_time, told,
    urgent, drift_time, failing_time, aftermath_begin_time, aftermath_due_time, aftermath_attempt_count,
    aftermath_ended_call_count, aftermath_canceled_message_count, aftermath_found_call_count,
    aftermath_message_refused, aftermath_clear_time, aftermath_error, aftermath_failing_time,
    driving_claim_number
) ON subaccounts TO telephony_reader;

GRANT SELECT (
    state, since, last_error, failure_count, failing_names, probe_count, probe_due_time, probe_number,
    probe_lease_end_time
) ON twilio_trouble TO telephony_reader;
