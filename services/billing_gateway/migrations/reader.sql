-- What billing_gateway_reader, the role of people, may see: each column that is named here. It is granted
-- anew whenever migrations have run.
-- Kept from it are the raw bodies, with payers' names and addresses; and the addresses of checkouts, with
-- which anybody may go on: PayPal's is made of the checkout's id and nothing else.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM billing_gateway_reader;

GRANT SELECT (
    organization_id, level, key, observer, revision, acknowledged_revision, due_time, attempt_count,
    last_error, pending_since
) ON announcements TO billing_gateway_reader;

GRANT SELECT (
    organization_id, reference_id, kind, provider, intent_id, amount_micros, currency_code, plan_id,
    state, payment_object_id, subscription_id, capture_number, errand_due_time, errand_attempt_count,
    last_error, create_time, update_time
) ON checkouts TO billing_gateway_reader;

GRANT SELECT (
    action_id, create_time, action, actor, note, organization_id, reference
) ON operator_actions TO billing_gateway_reader;

GRANT SELECT (
    organization_id, revision, state, good_standing, good_until, grace_end_time, grace_note, grace_actor,
    reevaluate_time
) ON organizations TO billing_gateway_reader;

GRANT SELECT (
    provider, payment_id, component_id, kind, state, amount_micros, currency_code, provider_time, rank,
    withdrawal_count, reinstatement_count, blocks_spending, money_due_time, event_id, create_time,
    update_time
) ON payment_components TO billing_gateway_reader;

GRANT SELECT (provider, object_id, payment_id, name_rank) ON payment_objects TO billing_gateway_reader;

GRANT SELECT (
    provider, payment_id, organization_id, subscription_id, plan_id, currency_code, paid_micros,
    credited_micros, allowance_period_start_time, paid_time, revision, event_ids, create_time, state,
    customer_id, progress, progress_time, progress_rank, has_failed, refunded_in_all_micros,
    reversed_micros, at_risk_micros, blocks_spending, problem, assign_actor, assign_note,
    resolve_due_time, resolve_attempt_count, update_time, refunded_in_all_time
) ON payments TO billing_gateway_reader;

GRANT SELECT (name, checksum, apply_time) ON schema_migrations TO billing_gateway_reader;

GRANT SELECT (url, pem, learn_time) ON signing_certificates TO billing_gateway_reader;

GRANT SELECT (
    organization_id, change_id, provider, subscription_id, cause, from_state, to_state, source_id, actor,
    note, good_standing, good_until, change_time
) ON subscription_changes TO billing_gateway_reader;

GRANT SELECT (
    provider, subscription_id, source_id, kind, provider_time, rank, moves_state, state, details_time,
    plan_id, customer_id, period_end_time, cancel_at_period_end, confirmed_time, create_time
) ON subscription_facts TO billing_gateway_reader;

GRANT SELECT (
    provider, subscription_id, organization_id, linked_customer_id, linked_plan_id, learnt_customer_id,
    state, plan_id, current_period_end_time, provider_time, rank, event_id, update_time,
    cancel_at_period_end, past_due_time, grace_end_time, look_due_time, look_attempt_count, look_error,
    heard_time, cancel_due_time, cancel_note, cancel_actor, create_time
) ON subscriptions TO billing_gateway_reader;

GRANT SELECT (
    provider, transmission_id, body_sha256, counts_until
) ON transmissions TO billing_gateway_reader;

GRANT SELECT (
    provider, event_id, event_type, state, organization_id, object_ids, observations, attempt_count,
    next_attempt_time, last_error, receive_time, settle_time, traceparent
) ON webhook_events TO billing_gateway_reader;
