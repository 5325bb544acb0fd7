-- What wallet_reader, the role of people, may see: each column that is named here. It is granted
-- anew whenever migrations have run.
-- Kept from it are descriptions and metadata, which callers write: somebody's number or name may be in
-- them. The service answers with them, and can tell who has asked.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM wallet_reader;

GRANT SELECT (
    organization_id, level, key, observer, revision, acknowledged_revision, due_time, attempt_count,
    last_error, pending_since
) ON announcements TO wallet_reader;

GRANT SELECT (
    organization_id, sequence, amount_micros, balance_after_micros, held_after_micros, owed_after_micros,
    create_time, type, currency_code, reference_id, reference_part, payment_id, hold_reference_id,
    freeze_reason, freeze_reference_id, actor, chain
) ON entries TO wallet_reader;

GRANT SELECT (
    organization_id, reference_id, amount_micros, remaining_micros, captured_micros, state, expire_time,
    create_time, update_time
) ON holds TO wallet_reader;

GRANT SELECT (organization_id, sequence, moved_micros) ON ledger_sums TO wallet_reader;

GRANT SELECT (
    action_id, create_time, action, actor, note, organization_id, reference
) ON operator_actions TO wallet_reader;

GRANT SELECT (
    organization_id, payment_id, revision, credited_micros, reversed_micros, at_risk_micros,
    blocks_spending
) ON payments TO wallet_reader;

GRANT SELECT (name, checksum, apply_time) ON schema_migrations TO wallet_reader;

GRANT SELECT (
    organization_id, currency_code, balance_micros, last_sequence, freezes, level_revision,
    depleted_since, subscription_revision, subscription_state, subscription_good_standing,
    subscription_good_until, reevaluate_time, create_time, update_time, held_micros, owed_micros,
    kept_micros, at_risk_micros, depleted, depleted_below_micros, resume_above_micros,
    next_hold_expire_time, chain
) ON wallets TO wallet_reader;
