-- One row for each organization, made by whoever comes first and locked first in every transaction that
-- reads or writes its level or what that depends on. Revision 0: no level yet.
CREATE TABLE organizations (
    organization_id text NOT NULL,
    revision bigint NOT NULL DEFAULT 0,
    state text,
    good_standing boolean,
    good_until timestamptz,
    CONSTRAINT organizations_pkey PRIMARY KEY (organization_id),
    CONSTRAINT organizations_good_standing_expires CHECK (NOT good_standing OR good_until IS NOT NULL)
);

-- Whose a provider's subscription and customer are, and what the provider said last.
CREATE TABLE subscriptions (
    provider text NOT NULL,
    subscription_id text NOT NULL,
    organization_id text NOT NULL,
    linked_customer_id text NOT NULL,
    linked_plan_id text NOT NULL,
    learnt_customer_id text NOT NULL,
    state text,
    plan_id text,
    current_period_end_time timestamptz,
    provider_time timestamptz,
    rank smallint,
    event_id text,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_pkey PRIMARY KEY (provider, subscription_id),
    CONSTRAINT subscriptions_organization_exists
        FOREIGN KEY (organization_id) REFERENCES organizations (organization_id)
);

CREATE INDEX subscriptions_linked_customer ON subscriptions (provider, linked_customer_id);

CREATE INDEX subscriptions_learnt_customer ON subscriptions (provider, learnt_customer_id);

CREATE INDEX subscriptions_organization ON subscriptions (organization_id);

-- One row for each payment; what is credited for it is decided once.
CREATE TABLE payments (
    provider text NOT NULL,
    payment_id text NOT NULL,
    organization_id text NOT NULL,
    subscription_id text NOT NULL,
    plan_id text NOT NULL,
    currency_code text NOT NULL,
    paid_micros bigint NOT NULL,
    credited_micros bigint NOT NULL,
    allowance_period_start_time timestamptz,
    paid_time timestamptz NOT NULL,
    revision bigint NOT NULL,
    event_ids text[] NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT payments_pkey PRIMARY KEY (provider, payment_id),
    CONSTRAINT payments_allowance_once UNIQUE (provider, subscription_id, allowance_period_start_time),
    CONSTRAINT payments_organization_exists
        FOREIGN KEY (organization_id) REFERENCES organizations (organization_id),
    CONSTRAINT payments_paid_positive CHECK (paid_micros > 0),
    CONSTRAINT payments_credited_not_negative CHECK (credited_micros >= 0)
);

CREATE UNIQUE INDEX payments_level_key ON payments (organization_id, payment_id);

-- The inbox: what providers delivered, rightly signed. Nothing is lost from here.
CREATE TABLE webhook_events (
    provider text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    body bytea NOT NULL,
    state text NOT NULL,
    organization_id text NOT NULL DEFAULT '',
    object_ids text[] NOT NULL DEFAULT '{}',
    observations text[] NOT NULL DEFAULT '{}',
    attempt_count integer NOT NULL DEFAULT 0,
    next_attempt_time timestamptz NOT NULL DEFAULT now(),
    last_error text NOT NULL DEFAULT '',
    receive_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_events_pkey PRIMARY KEY (provider, event_id),
    CONSTRAINT webhook_events_state_known
        CHECK (state IN ('RECEIVED', 'DONE', 'IGNORED', 'PARKED', 'DEAD'))
);

CREATE INDEX webhook_events_due ON webhook_events (next_attempt_time) WHERE state = 'RECEIVED';

CREATE INDEX webhook_events_newest ON webhook_events (receive_time, provider, event_id);

CREATE INDEX webhook_events_objects ON webhook_events USING gin (object_ids);

CREATE INDEX webhook_events_organization ON webhook_events (organization_id);

-- What is to be told to whom: see libs/announcing.
CREATE TABLE announcements (
    organization_id text NOT NULL,
    level text NOT NULL,
    key text NOT NULL,
    observer text NOT NULL,
    revision bigint NOT NULL,
    acknowledged_revision bigint NOT NULL DEFAULT 0,
    due_time timestamptz,
    attempt_count integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    CONSTRAINT announcements_pkey PRIMARY KEY (organization_id, level, key, observer)
);

CREATE INDEX announcements_due_time ON announcements (level, observer, due_time)
    WHERE due_time IS NOT NULL;

GRANT SELECT, INSERT, UPDATE
    ON organizations, subscriptions, payments, webhook_events, announcements TO billing_gateway;
