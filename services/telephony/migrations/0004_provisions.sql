-- An intent to have an account made at Twilio: written before Twilio is asked, and the caller's reference
-- for ever once it has its account. An intent of which nothing can have been made may be withdrawn.
--   account_sid NULL -> set: the account was registered, in the same transaction.
CREATE TABLE provisions (
    organization_id text NOT NULL,
    reference_id text NOT NULL,
    brand_id text NOT NULL,
    friendly_name text NOT NULL,
    -- What ends the account's name at Twilio, so that it is found although its SID was never heard.
    tag text NOT NULL,
    account_sid text,
    -- Made under this intent as well, found later and suspended.
    double_account_sids text[] NOT NULL,
    last_error text NOT NULL,
    refusal_code integer,
    attempt_count integer NOT NULL,
    due_time timestamptz,
    claim_number bigint NOT NULL,
    lease_end_time timestamptz,
    -- Set before a create is sent: until then it may take effect, and no other is begun.
    next_create_time timestamptz,
    register_time timestamptz,
    create_time timestamptz NOT NULL,
    CONSTRAINT provisions_pkey PRIMARY KEY (organization_id, reference_id),
    CONSTRAINT provisions_tag_is_of_one UNIQUE (tag),
    CONSTRAINT provisions_account_is_of_one UNIQUE (account_sid),
    CONSTRAINT provisions_organization_exists FOREIGN KEY (organization_id)
        REFERENCES organizations (organization_id),
    CONSTRAINT provisions_account_is_registered FOREIGN KEY (account_sid)
        REFERENCES subaccounts (account_sid),
    CONSTRAINT provisions_registration_is_whole CHECK (
        num_nulls(account_sid, register_time) IN (0, 2)
    ),
    -- What has no account is never forgotten.
    CONSTRAINT provisions_without_account_are_due CHECK (
        account_sid IS NOT NULL OR due_time IS NOT NULL
    )
);

CREATE INDEX provisions_due_time ON provisions (due_time) WHERE due_time IS NOT NULL;

-- What a reference stands for never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (
    account_sid, double_account_sids, last_error, refusal_code, attempt_count, due_time, claim_number,
    lease_end_time, next_create_time, register_time
) ON provisions TO telephony;
