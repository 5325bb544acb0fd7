-- One row for each organization, made by whoever comes first and locked first in every transaction that
-- reads or writes a level or a subaccount. A level that nobody has told of yet is NULL.
CREATE TABLE organizations (
    organization_id text NOT NULL,
    operator_block_note text,
    operator_block_actor text,
    operator_block_time timestamptz,
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
    CONSTRAINT organizations_operator_block_is_whole CHECK (
        num_nulls(operator_block_note, operator_block_actor, operator_block_time) IN (0, 3)
    ),
    CONSTRAINT organizations_subscription_is_whole CHECK (
        num_nulls(subscription_revision, subscription_state, subscription_good_standing) IN (0, 3)
    ),
    CONSTRAINT organizations_wallet_is_whole CHECK (
        num_nulls(
            wallet_revision, wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_currency_code
        ) IN (0, 5)
    ),
    -- Good standing that is held lapses at its time, and not when somebody happens to look.
    CONSTRAINT organizations_reevaluated_when_good_news_expires CHECK (
        reevaluate_time IS NULL OR (subscription_good_standing AND reevaluate_time = subscription_good_until)
    )
);

CREATE INDEX organizations_reevaluate_time ON organizations (reevaluate_time)
    WHERE reevaluate_time IS NOT NULL;

-- wanted follows from the organization; NULL leaves the account as it is at Twilio.
--   observed UNKNOWN -> ACTIVE, SUSPENDED, CLOSED: Twilio said so.
--   observed ACTIVE, SUSPENDED -> UNKNOWN: a call that may change it is under way, or its outcome is open.
--   observed CLOSED: for ever.
CREATE TABLE subaccounts (
    account_sid text NOT NULL,
    organization_id text NOT NULL,
    brand_id text NOT NULL,
    wanted text,
    observed text NOT NULL,
    last_error text NOT NULL,
    attempt_count integer NOT NULL,
    next_attempt_time timestamptz,
    claim_number bigint NOT NULL,
    lease_end_time timestamptz,
    recheck_time timestamptz,
    observe_time timestamptz,
    create_time timestamptz NOT NULL,
    CONSTRAINT subaccounts_pkey PRIMARY KEY (account_sid),
    CONSTRAINT subaccounts_organization_exists FOREIGN KEY (organization_id)
        REFERENCES organizations (organization_id),
    -- One spelling for each account, so that none is registered twice.
    CONSTRAINT subaccounts_account_sid_is_normal CHECK (account_sid ~ '^AC[0-9a-f]{32}$'),
    CONSTRAINT subaccounts_wanted_is_known CHECK (wanted IN ('ACTIVE', 'SUSPENDED')),
    CONSTRAINT subaccounts_observed_is_known CHECK (
        observed IN ('UNKNOWN', 'ACTIVE', 'SUSPENDED', 'CLOSED')
    ),
    -- What is not known to stand as wanted is never forgotten.
    CONSTRAINT subaccounts_drift_is_due CHECK (
        next_attempt_time IS NOT NULL
        OR observed = 'CLOSED'
        OR (observed <> 'UNKNOWN' AND (wanted IS NULL OR wanted = observed))
    ),
    CONSTRAINT subaccounts_closed_is_left_alone CHECK (observed <> 'CLOSED' OR next_attempt_time IS NULL)
);

CREATE INDEX subaccounts_organization ON subaccounts (organization_id, account_sid);

CREATE INDEX subaccounts_next_attempt_time ON subaccounts (next_attempt_time)
    WHERE next_attempt_time IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON organizations TO telephony;

-- Whose account it is never changes.
GRANT SELECT, INSERT, UPDATE (
    wanted, observed, last_error, attempt_count, next_attempt_time, claim_number, lease_end_time,
    recheck_time, observe_time
) ON subaccounts TO telephony;
