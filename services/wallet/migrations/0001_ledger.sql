-- One row for each organization, made by whoever comes first and locked first in every transaction. A
-- subscription's level may come before the wallet is opened: then currency_code is NULL.
CREATE TABLE wallets (
    organization_id text NOT NULL,
    currency_code text,
    balance_micros bigint NOT NULL DEFAULT 0,
    last_sequence bigint,
    freezes jsonb NOT NULL DEFAULT '[]',
    level_revision bigint NOT NULL DEFAULT 0,
    depleted_since timestamptz,
    subscription_revision bigint,
    subscription_state text,
    subscription_good_standing boolean,
    subscription_good_until timestamptz,
    reevaluate_time timestamptz,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT wallets_pkey PRIMARY KEY (organization_id),
    CONSTRAINT wallets_balance_not_negative CHECK (balance_micros >= 0),
    CONSTRAINT wallets_balance_has_entry CHECK (balance_micros = 0 OR last_sequence IS NOT NULL),
    CONSTRAINT wallets_entries_only_when_open CHECK (last_sequence IS NULL OR currency_code IS NOT NULL)
);

-- The ledger: append-only. The service's role can neither change nor delete a row.
CREATE TABLE entries (
    organization_id text NOT NULL,
    sequence bigint NOT NULL,
    type text NOT NULL,
    amount_micros bigint NOT NULL,
    balance_after_micros bigint NOT NULL,
    reference_id text,
    reference_part smallint,
    payment_id text,
    counterparty_account text,
    freeze_reason text,
    freeze_reference_id text,
    actor text NOT NULL,
    description text NOT NULL,
    metadata jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT entries_pkey PRIMARY KEY (organization_id, sequence),
    -- One reference, one effect, for ever; an effect may write several entries.
    CONSTRAINT entries_reference_once UNIQUE (organization_id, reference_id, reference_part),
    CONSTRAINT entries_balance_key UNIQUE (organization_id, sequence, balance_after_micros),
    CONSTRAINT entries_wallet_exists FOREIGN KEY (organization_id) REFERENCES wallets (organization_id),
    CONSTRAINT entries_sequence_from_one CHECK (sequence >= 1),
    CONSTRAINT entries_balance_not_negative CHECK (balance_after_micros >= 0),
    CONSTRAINT entries_reference_has_part CHECK ((reference_id IS NULL) = (reference_part IS NULL)),
    CONSTRAINT entries_amount_fits_type CHECK (
        CASE type
            WHEN 'DEBIT' THEN amount_micros < 0
            WHEN 'FREEZE' THEN amount_micros = 0 AND freeze_reason IS NOT NULL
            WHEN 'UNFREEZE' THEN amount_micros = 0 AND freeze_reason IS NOT NULL
            WHEN 'TOP_UP' THEN amount_micros > 0
            WHEN 'REFUND' THEN amount_micros > 0
            WHEN 'PROMOTION' THEN amount_micros > 0
            WHEN 'PAYMENT' THEN amount_micros > 0
            ELSE false
        END
    )
);

-- A balance cannot be typed: it is the one after the last entry.
ALTER TABLE wallets ADD CONSTRAINT wallets_balance_of_last_entry
    FOREIGN KEY (organization_id, last_sequence, balance_micros)
    REFERENCES entries (organization_id, sequence, balance_after_micros);

-- The level of each provider's payment as far as it has been applied.
CREATE TABLE payments (
    organization_id text NOT NULL,
    payment_id text NOT NULL,
    revision bigint NOT NULL,
    credited_micros bigint NOT NULL,
    CONSTRAINT payments_pkey PRIMARY KEY (organization_id, payment_id),
    CONSTRAINT payments_wallet_exists FOREIGN KEY (organization_id) REFERENCES wallets (organization_id),
    CONSTRAINT payments_credited_not_negative CHECK (credited_micros >= 0)
);

CREATE INDEX wallets_reevaluate_time ON wallets (reevaluate_time) WHERE reevaluate_time IS NOT NULL;

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

GRANT SELECT, INSERT, UPDATE ON wallets, payments, announcements TO wallet;

GRANT SELECT, INSERT ON entries TO wallet;
