-- One row for each organization, made by whoever comes first and locked first in every transaction that
-- reads or writes a level or a campaign. A level that nobody has told of yet is NULL, and blocks.
CREATE TABLE organizations (
    organization_id text NOT NULL,
    organization_pause_note text,
    organization_pause_actor text,
    organization_pause_time timestamptz,
    subscription_revision bigint,
    subscription_state text,
    subscription_good_standing boolean,
    subscription_good_until timestamptz,
    wallet_revision bigint,
    wallet_frozen boolean,
    wallet_freeze_reasons text[],
    wallet_depleted boolean,
    wallet_depleted_since timestamptz,
    wallet_currency_code text,
    reevaluate_time timestamptz,
    CONSTRAINT organizations_pkey PRIMARY KEY (organization_id),
    CONSTRAINT organizations_pause_is_whole CHECK (
        num_nulls(organization_pause_note, organization_pause_actor, organization_pause_time) IN (0, 3)
    ),
    CONSTRAINT organizations_subscription_is_whole CHECK (
        num_nulls(subscription_revision, subscription_state, subscription_good_standing) IN (0, 3)
    ),
    CONSTRAINT organizations_wallet_is_whole CHECK (
        num_nulls(
            wallet_revision, wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_currency_code
        ) IN (0, 5)
    ),
    -- Only good news expires, and then it takes no one to say so.
    CONSTRAINT organizations_reevaluated_at_lapse CHECK (
        reevaluate_time IS NULL
        OR (subscription_good_standing AND reevaluate_time = subscription_good_until) IS TRUE
    )
);

CREATE INDEX organizations_reevaluate_time ON organizations (reevaluate_time)
    WHERE reevaluate_time IS NOT NULL;

-- state, pause_reason and pause_time follow from the campaign's stage, its manual pause and its
-- organization's blockers, and stand here to be searched.
--   DRAFT -> RUNNING: started. RUNNING -> PAUSED, PAUSED -> RUNNING: blocked, no longer blocked.
--   DRAFT, RUNNING, PAUSED -> COMPLETED: ended for ever.
CREATE TABLE campaigns (
    campaign_id text NOT NULL,
    organization_id text NOT NULL,
    brand_id text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    pause_reason text,
    pause_time timestamptz,
    manual_pause_note text,
    manual_pause_actor text,
    manual_pause_time timestamptz,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT campaigns_pkey PRIMARY KEY (campaign_id),
    CONSTRAINT campaigns_organization_exists FOREIGN KEY (organization_id)
        REFERENCES organizations (organization_id),
    CONSTRAINT campaigns_state_is_known CHECK (state IN ('DRAFT', 'RUNNING', 'PAUSED', 'COMPLETED')),
    CONSTRAINT campaigns_pause_reason_is_known CHECK (
        pause_reason IN (
            'MANUAL_PAUSE', 'ORGANIZATION_PAUSE', 'SUBSCRIPTION_INACTIVE', 'WALLET_FROZEN', 'WALLET_DEPLETED'
        )
    ),
    CONSTRAINT campaigns_paused_has_reason_and_time CHECK (
        num_nulls(pause_reason, pause_time) = CASE state WHEN 'PAUSED' THEN 0 ELSE 2 END
    ),
    CONSTRAINT campaigns_manual_pause_is_whole CHECK (
        num_nulls(manual_pause_note, manual_pause_actor, manual_pause_time) IN (0, 3)
    ),
    -- The first of the reasons: nothing else shows, and nothing else lifts, while it stands.
    CONSTRAINT campaigns_manual_pause_comes_first CHECK (
        (manual_pause_time IS NOT NULL) = (pause_reason IS NOT DISTINCT FROM 'MANUAL_PAUSE')
    )
);

CREATE INDEX campaigns_organization ON campaigns (organization_id, campaign_id);

CREATE INDEX campaigns_started ON campaigns (organization_id) WHERE state IN ('RUNNING', 'PAUSED');

GRANT SELECT, INSERT, UPDATE ON organizations TO campaign;

-- Whose campaign it is can be read before the organization is locked, because it never changes.
GRANT SELECT, INSERT, UPDATE (
    state, pause_reason, pause_time, manual_pause_note, manual_pause_actor, manual_pause_time, update_time
) ON campaigns TO campaign;
