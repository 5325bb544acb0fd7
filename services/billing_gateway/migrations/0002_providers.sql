-- An organization's operator may let it send in spite of its subscription; and time alone changes its
-- level next at reevaluate_time.
ALTER TABLE organizations
    ADD COLUMN grace_end_time timestamptz,
    ADD COLUMN grace_note text NOT NULL DEFAULT '',
    ADD COLUMN grace_actor text NOT NULL DEFAULT '',
    ADD COLUMN reevaluate_time timestamptz;

UPDATE organizations SET reevaluate_time = good_until WHERE good_standing;

CREATE INDEX organizations_reevaluate ON organizations (reevaluate_time)
    WHERE reevaluate_time IS NOT NULL;

-- What stands in the row follows from the facts below; rank and event_id are read no more.
ALTER TABLE subscriptions
    ADD COLUMN cancel_at_period_end boolean NOT NULL DEFAULT false,
    ADD COLUMN past_due_time timestamptz,
    ADD COLUMN grace_end_time timestamptz,
    ADD COLUMN look_due_time timestamptz,
    ADD COLUMN look_attempt_count integer NOT NULL DEFAULT 0,
    ADD COLUMN look_error text NOT NULL DEFAULT '',
    ADD COLUMN heard_time timestamptz,
    ADD COLUMN cancel_due_time timestamptz,
    ADD COLUMN cancel_note text NOT NULL DEFAULT '',
    ADD COLUMN cancel_actor text NOT NULL DEFAULT '',
    ADD COLUMN create_time timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT subscriptions_grace_only_past_due CHECK (grace_end_time IS NULL OR past_due_time IS NOT NULL);

-- Those of before are asked about as well, though not all at once.
UPDATE subscriptions
SET heard_time = CASE WHEN state IS NOT NULL THEN update_time END,
    look_due_time = CASE WHEN state IS DISTINCT FROM 'CANCELED'
        THEN now() + random() * interval '1 day' END;

CREATE INDEX subscriptions_look_due ON subscriptions (look_due_time) WHERE look_due_time IS NOT NULL;

CREATE INDEX subscriptions_cancel_due ON subscriptions (cancel_due_time) WHERE cancel_due_time IS NOT NULL;

CREATE INDEX subscriptions_newest ON subscriptions (create_time, provider, subscription_id);

-- Everything that was ever told of a subscription. How it stands is a pure function of this set.
-- source_id: the event's id, or look:<what>; kind STATE has the details as of details_time.
CREATE TABLE subscription_facts (
    provider text NOT NULL,
    subscription_id text NOT NULL,
    source_id text NOT NULL,
    kind text NOT NULL,
    provider_time timestamptz NOT NULL,
    rank smallint NOT NULL,
    moves_state boolean NOT NULL,
    state text,
    details_time timestamptz,
    plan_id text NOT NULL DEFAULT '',
    customer_id text NOT NULL DEFAULT '',
    period_end_time timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    confirmed_time timestamptz,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscription_facts_pkey PRIMARY KEY (provider, subscription_id, source_id, kind),
    CONSTRAINT subscription_facts_subscription_exists
        FOREIGN KEY (provider, subscription_id) REFERENCES subscriptions (provider, subscription_id),
    CONSTRAINT subscription_facts_kind_known CHECK (kind IN ('STATE', 'FAILURE', 'PAYMENT')),
    CONSTRAINT subscription_facts_state_is_told
        CHECK ((kind = 'STATE') = (state IS NOT NULL AND details_time IS NOT NULL)),
    CONSTRAINT subscription_facts_confirmed_later CHECK (confirmed_time >= provider_time)
);

INSERT INTO subscription_facts (
    provider, subscription_id, source_id, kind, provider_time, rank, moves_state, state, details_time,
    plan_id, customer_id, period_end_time
)
SELECT provider, subscription_id, event_id, 'STATE', provider_time, rank, true, state, provider_time,
    coalesce(plan_id, ''), learnt_customer_id, current_period_end_time
FROM subscriptions
WHERE state IS NOT NULL;

-- What was asked and what changed, by whom or by what; kept for ever. An organization's own changes
-- (grace) have no subscription.
CREATE TABLE subscription_changes (
    organization_id text NOT NULL,
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL DEFAULT '',
    subscription_id text NOT NULL DEFAULT '',
    cause text NOT NULL,
    from_state text,
    to_state text,
    source_id text NOT NULL DEFAULT '',
    actor text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    good_standing boolean NOT NULL,
    good_until timestamptz,
    change_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT subscription_changes_pkey PRIMARY KEY (organization_id, change_id),
    CONSTRAINT subscription_changes_organization_exists
        FOREIGN KEY (organization_id) REFERENCES organizations (organization_id),
    CONSTRAINT subscription_changes_cause_known CHECK (
        cause IN ('EVENT', 'LOOK', 'LINK', 'CREATE', 'CANCEL', 'REACTIVATE', 'SYNC', 'GRACE', 'TIME'))
);

CREATE INDEX subscription_changes_newest ON subscription_changes (change_time, change_id);

-- One row for each flow of money, made by whichever event comes first. Owner, amount and credit are
-- null until they are known; the credit is decided once. Revision 0: the wallet was told nothing yet.
ALTER TABLE payments
    ALTER COLUMN organization_id DROP NOT NULL,
    ALTER COLUMN paid_micros DROP NOT NULL,
    ALTER COLUMN credited_micros DROP NOT NULL,
    ALTER COLUMN paid_time DROP NOT NULL,
    ALTER COLUMN subscription_id SET DEFAULT '',
    ALTER COLUMN plan_id SET DEFAULT '',
    ALTER COLUMN currency_code SET DEFAULT '',
    ALTER COLUMN revision SET DEFAULT 0,
    ALTER COLUMN event_ids SET DEFAULT '{}',
    ALTER COLUMN create_time SET DEFAULT now(),
    ADD COLUMN state text NOT NULL DEFAULT 'PENDING',
    ADD COLUMN customer_id text NOT NULL DEFAULT '',
    ADD COLUMN progress text,
    ADD COLUMN progress_time timestamptz,
    ADD COLUMN progress_rank smallint,
    ADD COLUMN has_failed boolean NOT NULL DEFAULT false,
    ADD COLUMN refunded_in_all_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN reversed_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN at_risk_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN blocks_spending boolean NOT NULL DEFAULT false,
    ADD COLUMN problem text NOT NULL DEFAULT '',
    ADD COLUMN assign_actor text NOT NULL DEFAULT '',
    ADD COLUMN assign_note text NOT NULL DEFAULT '',
    ADD COLUMN resolve_due_time timestamptz,
    ADD COLUMN resolve_attempt_count integer NOT NULL DEFAULT 0,
    ADD COLUMN update_time timestamptz NOT NULL DEFAULT now();

UPDATE payments SET state = 'PAID';

ALTER TABLE payments
    ADD CONSTRAINT payments_state_known CHECK (
        state IN ('PENDING', 'PARKED', 'PAID', 'PARTIALLY_REVERSED', 'REVERSED', 'FAILED')),
    ADD CONSTRAINT payments_progress_whole
        CHECK (num_nulls(progress, progress_time, progress_rank) IN (0, 3)),
    ADD CONSTRAINT payments_told_is_decided CHECK ((revision > 0) = (credited_micros IS NOT NULL)),
    ADD CONSTRAINT payments_credited_is_owned_and_paid CHECK (
        credited_micros IS NULL
        OR (organization_id IS NOT NULL AND paid_micros IS NOT NULL AND currency_code <> '')),
    ADD CONSTRAINT payments_reversed_within_credited
        CHECK (reversed_micros BETWEEN 0 AND coalesce(credited_micros, 0)),
    ADD CONSTRAINT payments_at_risk_within_rest
        CHECK (at_risk_micros BETWEEN 0 AND coalesce(credited_micros, 0) - reversed_micros);

CREATE INDEX payments_newest ON payments (create_time, provider, payment_id);

CREATE INDEX payments_resolve_due ON payments (resolve_due_time) WHERE resolve_due_time IS NOT NULL;

-- Every object of a provider that belongs to a flow of money. The one with the lowest name_rank, then
-- the lowest id, names it; 0 is the credit source itself.
CREATE TABLE payment_objects (
    provider text NOT NULL,
    object_id text NOT NULL,
    payment_id text NOT NULL,
    name_rank smallint NOT NULL,
    CONSTRAINT payment_objects_pkey PRIMARY KEY (provider, object_id),
    CONSTRAINT payment_objects_payment_exists FOREIGN KEY (provider, payment_id)
        REFERENCES payments (provider, payment_id) ON UPDATE CASCADE
);

CREATE INDEX payment_objects_payment ON payment_objects (provider, payment_id);

INSERT INTO payment_objects (provider, object_id, payment_id, name_rank)
SELECT provider, split_part(payment_id, ':', 2), payment_id, 0 FROM payments;

-- Refunds, disputes, reversals and warnings, each by its provider's id and with a state of its own.
CREATE TABLE payment_components (
    provider text NOT NULL,
    payment_id text NOT NULL,
    component_id text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    amount_micros bigint NOT NULL,
    currency_code text NOT NULL,
    provider_time timestamptz,
    rank smallint NOT NULL,
    withdrawal_count smallint NOT NULL DEFAULT 0,
    reinstatement_count smallint NOT NULL DEFAULT 0,
    blocks_spending boolean NOT NULL DEFAULT false,
    money_due_time timestamptz,
    event_id text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_components_pkey PRIMARY KEY (provider, payment_id, component_id),
    CONSTRAINT payment_components_payment_exists FOREIGN KEY (provider, payment_id)
        REFERENCES payments (provider, payment_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT payment_components_kind_known
        CHECK (kind IN ('REFUND', 'DISPUTE', 'REVERSAL', 'WARNING')),
    CONSTRAINT payment_components_state_known
        CHECK (state IN ('PENDING', 'OPEN', 'SUCCEEDED', 'FAILED', 'WON', 'LOST', 'ENDED')),
    CONSTRAINT payment_components_amount_not_negative CHECK (amount_micros >= 0)
);

CREATE INDEX payment_components_money_due ON payment_components (money_due_time)
    WHERE money_due_time IS NOT NULL;

-- Two rows turn out to be one flow of money: the one that the wallet was never told of goes. The role
-- may not delete by itself.
CREATE FUNCTION absorb_payment(of_provider text, absorbed_id text, into_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE payment_objects SET payment_id = into_id
    WHERE provider = of_provider AND payment_id = absorbed_id;
    DELETE FROM payments
    WHERE provider = of_provider AND payment_id = absorbed_id AND revision = 0;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'payment % was told to the wallet and stays', absorbed_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_told_stay';
    END IF;
END;
$$;

-- What callers asked a provider to make: written before the provider is asked, so that the same
-- reference asks with the same key. WANTED: not answered yet. APPROVED: to be captured.
CREATE TABLE checkouts (
    organization_id text NOT NULL,
    reference_id text NOT NULL,
    kind text NOT NULL,
    provider text NOT NULL,
    intent_id text NOT NULL,
    amount_micros bigint,
    currency_code text NOT NULL DEFAULT '',
    plan_id text NOT NULL DEFAULT '',
    return_url text NOT NULL,
    cancel_url text NOT NULL,
    state text NOT NULL DEFAULT 'WANTED',
    checkout_id text NOT NULL DEFAULT '',
    url text NOT NULL DEFAULT '',
    payment_object_id text NOT NULL DEFAULT '',
    subscription_id text NOT NULL DEFAULT '',
    capture_number integer NOT NULL DEFAULT 1,
    errand_due_time timestamptz,
    errand_attempt_count integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT checkouts_pkey PRIMARY KEY (organization_id, reference_id),
    CONSTRAINT checkouts_intent_once UNIQUE (intent_id),
    CONSTRAINT checkouts_organization_exists
        FOREIGN KEY (organization_id) REFERENCES organizations (organization_id),
    CONSTRAINT checkouts_kind_known CHECK (kind IN ('TOP_UP', 'SUBSCRIPTION')),
    CONSTRAINT checkouts_state_known CHECK (
        state IN ('WANTED', 'OPEN', 'APPROVED', 'PENDING', 'COMPLETED', 'FAILED', 'REFUSED')),
    CONSTRAINT checkouts_answered_has_id CHECK (state IN ('WANTED', 'REFUSED') OR checkout_id <> ''),
    CONSTRAINT checkouts_content_of_kind CHECK (
        CASE kind WHEN 'TOP_UP' THEN amount_micros > 0 AND currency_code <> ''
        ELSE amount_micros IS NULL AND plan_id <> '' END)
);

CREATE UNIQUE INDEX checkouts_checkout ON checkouts (provider, checkout_id) WHERE checkout_id <> '';

CREATE INDEX checkouts_payment_object ON checkouts (provider, payment_object_id)
    WHERE payment_object_id <> '';

CREATE INDEX checkouts_errand_due ON checkouts (errand_due_time) WHERE errand_due_time IS NOT NULL;

CREATE INDEX checkouts_newest ON checkouts (create_time, provider, checkout_id);

-- The raw body is kept for a set time once the event is settled; the row and its observations for ever.
ALTER TABLE webhook_events
    ALTER COLUMN body DROP NOT NULL,
    ADD COLUMN settle_time timestamptz,
    ADD CONSTRAINT webhook_events_unsettled_keep_body
        CHECK (body IS NOT NULL OR state IN ('DONE', 'IGNORED'));

CREATE INDEX webhook_events_body_kept ON webhook_events (receive_time)
    WHERE body IS NOT NULL AND state IN ('DONE', 'IGNORED');

CREATE INDEX webhook_events_waiting ON webhook_events (state, receive_time)
    WHERE state IN ('PARKED', 'DEAD');

CREATE INDEX webhook_events_parked_objects ON webhook_events USING gin (object_ids)
    WHERE state = 'PARKED';

DROP INDEX webhook_events_organization;

CREATE INDEX webhook_events_organization ON webhook_events (organization_id, receive_time)
    WHERE organization_id <> '';

REVOKE EXECUTE ON FUNCTION absorb_payment(text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION absorb_payment(text, text, text) TO billing_gateway;

GRANT SELECT, INSERT, UPDATE (confirmed_time) ON subscription_facts TO billing_gateway;

GRANT SELECT, INSERT ON subscription_changes TO billing_gateway;

GRANT SELECT, INSERT, UPDATE ON payment_objects, payment_components, checkouts TO billing_gateway;
