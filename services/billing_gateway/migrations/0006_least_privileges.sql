-- The service's role keeps what its statements need: the keys of what it has written stay as they are, whose a
-- subscription is and what an event was among them, and what is set by default is not chosen.
REVOKE INSERT, UPDATE ON announcements FROM billing_gateway;

GRANT INSERT (organization_id, level, key, observer, revision, due_time), UPDATE (
    revision, acknowledged_revision, due_time, attempt_count, last_error
) ON announcements TO billing_gateway;

REVOKE INSERT, UPDATE ON organizations FROM billing_gateway;

GRANT INSERT (organization_id), UPDATE (
    revision, state, good_standing, good_until, grace_end_time, grace_note, grace_actor, reevaluate_time
) ON organizations TO billing_gateway;

REVOKE INSERT, UPDATE ON subscriptions FROM billing_gateway;

GRANT INSERT (
    provider, subscription_id, organization_id, linked_customer_id, linked_plan_id, learnt_customer_id,
    state, plan_id, current_period_end_time, provider_time, cancel_at_period_end, past_due_time,
    grace_end_time, look_due_time, heard_time
), UPDATE (
    linked_customer_id, linked_plan_id, learnt_customer_id, state, plan_id, current_period_end_time,
    provider_time, update_time, cancel_at_period_end, past_due_time, grace_end_time, look_due_time,
    look_attempt_count, look_error, heard_time, cancel_due_time, cancel_note, cancel_actor
) ON subscriptions TO billing_gateway;

REVOKE INSERT, UPDATE ON payments FROM billing_gateway;

GRANT INSERT (
    provider, payment_id, organization_id, subscription_id, plan_id, currency_code, paid_micros,
    credited_micros, allowance_period_start_time, paid_time, revision, event_ids, create_time, state,
    customer_id, progress, progress_time, progress_rank, has_failed, refunded_in_all_micros,
    reversed_micros, at_risk_micros, blocks_spending, problem, resolve_due_time, refunded_in_all_time
), UPDATE (
    payment_id, organization_id, subscription_id, plan_id, currency_code, paid_micros, credited_micros,
    allowance_period_start_time, paid_time, revision, event_ids, create_time, state, customer_id,
    progress, progress_time, progress_rank, has_failed, refunded_in_all_micros, reversed_micros,
    at_risk_micros, blocks_spending, problem, assign_actor, assign_note, resolve_due_time,
    resolve_attempt_count, update_time, refunded_in_all_time
) ON payments TO billing_gateway;

REVOKE INSERT, UPDATE ON webhook_events FROM billing_gateway;

GRANT INSERT (provider, event_id, event_type, body, state, last_error), UPDATE (
    body, state, organization_id, object_ids, observations, attempt_count, next_attempt_time, last_error,
    settle_time
) ON webhook_events TO billing_gateway;

REVOKE INSERT ON subscription_facts FROM billing_gateway;

GRANT INSERT (
    provider, subscription_id, source_id, kind, provider_time, rank, moves_state, state, details_time,
    plan_id, customer_id, period_end_time, cancel_at_period_end, confirmed_time
) ON subscription_facts TO billing_gateway;

REVOKE INSERT ON subscription_changes FROM billing_gateway;

GRANT INSERT (
    organization_id, provider, subscription_id, cause, from_state, to_state, source_id, actor, note,
    good_standing, good_until
) ON subscription_changes TO billing_gateway;

REVOKE INSERT, UPDATE ON payment_components FROM billing_gateway;

GRANT INSERT (
    provider, payment_id, component_id, kind, state, amount_micros, currency_code, provider_time, rank,
    withdrawal_count, reinstatement_count, blocks_spending, money_due_time, event_id
), UPDATE (
    kind, state, amount_micros, currency_code, provider_time, rank, withdrawal_count, reinstatement_count,
    blocks_spending, money_due_time, event_id, update_time
) ON payment_components TO billing_gateway;

REVOKE INSERT, UPDATE ON checkouts FROM billing_gateway;

GRANT INSERT (
    organization_id, reference_id, kind, provider, intent_id, amount_micros, currency_code, plan_id,
    return_url, cancel_url, state, checkout_id
), UPDATE (
    kind, provider, intent_id, amount_micros, currency_code, plan_id, return_url, cancel_url, state,
    checkout_id, url, payment_object_id, subscription_id, capture_number, errand_due_time,
    errand_attempt_count, last_error, update_time
) ON checkouts TO billing_gateway;

REVOKE INSERT ON signing_certificates FROM billing_gateway;

GRANT INSERT (url, pem) ON signing_certificates TO billing_gateway;

REVOKE UPDATE ON payment_objects FROM billing_gateway;

GRANT UPDATE (name_rank) ON payment_objects TO billing_gateway;

-- Last of all, or a temporary table could stand for one of these.
ALTER FUNCTION absorb_payment(text, text, text) SET search_path = public, pg_temp;
