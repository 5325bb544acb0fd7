-- Holds, debts, thresholds and proofs. The ledger moves into a table whose rows are sealed, and which the
-- service's role can only append to, through a function that keeps it without a gap.
ALTER TABLE wallets
    DROP CONSTRAINT wallets_balance_of_last_entry,
    DROP CONSTRAINT wallets_balance_has_entry,
    DROP CONSTRAINT wallets_entries_only_when_open,
    ADD COLUMN held_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN owed_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN kept_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN at_risk_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN depleted boolean NOT NULL DEFAULT true,
    ADD COLUMN depleted_below_micros bigint NOT NULL DEFAULT 1,
    ADD COLUMN resume_above_micros bigint NOT NULL DEFAULT 1,
    ADD COLUMN next_hold_expire_time timestamptz,
    ADD COLUMN chain bytea;

UPDATE wallets SET depleted = balance_micros = 0, last_sequence = coalesce(last_sequence, 0);

ALTER TABLE wallets
    ALTER COLUMN last_sequence SET DEFAULT 0,
    ALTER COLUMN last_sequence SET NOT NULL,
    ADD CONSTRAINT wallets_entries_only_when_open
        CHECK (last_sequence = 0 OR currency_code IS NOT NULL),
    ADD CONSTRAINT wallets_no_money_without_entries
        CHECK (last_sequence > 0 OR balance_micros + held_micros + owed_micros = 0),
    ADD CONSTRAINT wallets_held_not_negative CHECK (held_micros >= 0),
    ADD CONSTRAINT wallets_held_within_balance CHECK (held_micros <= balance_micros),
    ADD CONSTRAINT wallets_owed_not_negative CHECK (owed_micros >= 0),
    ADD CONSTRAINT wallets_owed_only_when_nothing_is_available
        CHECK (owed_micros = 0 OR balance_micros = held_micros),
    ADD CONSTRAINT wallets_kept_not_negative CHECK (kept_micros >= 0),
    ADD CONSTRAINT wallets_at_risk_not_negative CHECK (at_risk_micros >= 0),
    ADD CONSTRAINT wallets_depleted_below_positive CHECK (depleted_below_micros >= 1),
    ADD CONSTRAINT wallets_resume_not_below_depleted
        CHECK (resume_above_micros >= depleted_below_micros),
    -- Room on each page for the next version of a row: a debit then touches no index of this table.
    SET (fillfactor = 50);

CREATE INDEX wallets_frozen ON wallets (organization_id) WHERE freezes <> '[]';

CREATE INDEX wallets_owing ON wallets (organization_id) WHERE owed_micros > 0;

CREATE INDEX wallets_depleted ON wallets (organization_id) WHERE depleted;

ALTER TABLE entries RENAME TO entries_before;

ALTER TABLE entries_before
    DROP CONSTRAINT entries_wallet_exists,
    DROP CONSTRAINT entries_balance_key,
    DROP CONSTRAINT entries_reference_once,
    DROP CONSTRAINT entries_pkey;

-- The ledger: append-only. The service's role can only append, and only through append_entries.
-- No foreign key leads here: its look-ups take whatever plan the planner likes, see docs/decisions.
CREATE TABLE entries (
    organization_id text NOT NULL,
    sequence bigint NOT NULL,
    amount_micros bigint NOT NULL,
    balance_after_micros bigint NOT NULL,
    held_after_micros bigint NOT NULL,
    owed_after_micros bigint NOT NULL,
    create_time timestamptz NOT NULL,
    type text NOT NULL,
    currency_code text NOT NULL,
    reference_id text,
    reference_part smallint,
    payment_id text,
    hold_reference_id text,
    freeze_reason text,
    freeze_reference_id text,
    actor text NOT NULL,
    description text NOT NULL,
    metadata jsonb,
    -- NULL only in entries from before there were chains; the first chain after them covers them.
    chain bytea,
    CONSTRAINT entries_pkey PRIMARY KEY (organization_id, sequence),
    -- One reference, one effect, for ever; an effect may write several entries.
    CONSTRAINT entries_reference_once UNIQUE (organization_id, reference_id, reference_part),
    CONSTRAINT entries_sequence_from_one CHECK (sequence >= 1),
    CONSTRAINT entries_balance_not_negative CHECK (balance_after_micros >= 0),
    CONSTRAINT entries_held_not_negative CHECK (held_after_micros >= 0),
    CONSTRAINT entries_held_within_balance CHECK (held_after_micros <= balance_after_micros),
    CONSTRAINT entries_owed_not_negative CHECK (owed_after_micros >= 0),
    CONSTRAINT entries_reference_has_part CHECK ((reference_id IS NULL) = (reference_part IS NULL)),
    CONSTRAINT entries_amount_fits_type CHECK (
        CASE
            WHEN type IN ('DEBIT', 'CAPTURE', 'REVERSAL', 'RELEASE', 'EXPIRY', 'AT_RISK_ENDED', 'DEBT_REPAYMENT')
                THEN amount_micros < 0
            WHEN type IN ('TOP_UP', 'REFUND', 'PROMOTION', 'PAYMENT', 'REVERSAL_RETURNED', 'HOLD', 'AT_RISK')
                THEN amount_micros > 0
            WHEN type = 'ADJUSTMENT' THEN amount_micros <> 0
            WHEN type IN ('FREEZE', 'UNFREEZE') THEN amount_micros = 0 AND freeze_reason IS NOT NULL
            WHEN type = 'REPAIR' THEN amount_micros = 0
            ELSE false
        END
    )
);

-- Without statistics the planner takes a wallet for a share of the table, never for a few rows: it cannot
-- think the primary key as good for a reference as the reference's own index.
ALTER TABLE entries ALTER COLUMN organization_id SET STATISTICS 0;

INSERT INTO entries
SELECT
    entries_before.organization_id,
    entries_before.sequence,
    entries_before.amount_micros,
    entries_before.balance_after_micros,
    0,
    0,
    entries_before.create_time,
    entries_before.type,
    wallets.currency_code,
    entries_before.reference_id,
    entries_before.reference_part,
    entries_before.payment_id,
    NULL,
    entries_before.freeze_reason,
    entries_before.freeze_reference_id,
    entries_before.actor,
    entries_before.description,
    nullif(entries_before.metadata, '{}'),
    NULL
FROM entries_before
JOIN wallets ON wallets.organization_id = entries_before.organization_id;

DROP TABLE entries_before;

-- Those that were copied just now are let be; no other entry can be there without its seal.
ALTER TABLE entries ADD CONSTRAINT entries_sealed CHECK (chain IS NOT NULL) NOT VALID;

CREATE INDEX entries_of_payment ON entries (organization_id, payment_id, sequence)
    WHERE payment_id IS NOT NULL;

CREATE INDEX entries_of_actor ON entries (organization_id, actor, sequence) WHERE actor <> '';

CREATE INDEX entries_of_freeze ON entries (organization_id, freeze_reference_id, sequence)
    WHERE freeze_reference_id <> '';

-- For lists and reports over all organizations; entries come in the order of their time.
CREATE INDEX entries_create_time ON entries USING brin (create_time) WITH (autosummarize = on);

CREATE INDEX entries_rare_types ON entries (type, create_time, organization_id, sequence)
    WHERE type NOT IN ('DEBIT', 'HOLD', 'CAPTURE', 'RELEASE');

ALTER TABLE payments
    ADD COLUMN reversed_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN at_risk_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN blocks_spending boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT payments_reversed_within_credited
        CHECK (reversed_micros BETWEEN 0 AND credited_micros),
    ADD CONSTRAINT payments_at_risk_not_negative CHECK (at_risk_micros >= 0);

-- OPEN -> CAPTURED | RELEASED | EXPIRED; EXPIRED -> CAPTURED | RELEASED.
CREATE TABLE holds (
    organization_id text NOT NULL,
    reference_id text NOT NULL,
    amount_micros bigint NOT NULL,
    remaining_micros bigint NOT NULL,
    captured_micros bigint NOT NULL,
    state text NOT NULL,
    expire_time timestamptz NOT NULL,
    description text NOT NULL,
    metadata jsonb,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT holds_pkey PRIMARY KEY (organization_id, reference_id),
    CONSTRAINT holds_wallet_exists FOREIGN KEY (organization_id) REFERENCES wallets (organization_id),
    CONSTRAINT holds_amount_positive CHECK (amount_micros > 0),
    CONSTRAINT holds_captured_not_negative CHECK (captured_micros >= 0),
    CONSTRAINT holds_remaining_within_amount CHECK (remaining_micros BETWEEN 0 AND amount_micros),
    CONSTRAINT holds_remaining_only_when_open CHECK (remaining_micros = 0 OR state = 'OPEN'),
    CONSTRAINT holds_state_known CHECK (state IN ('OPEN', 'CAPTURED', 'RELEASED', 'EXPIRED'))
) WITH (fillfactor = 80);

CREATE INDEX holds_open ON holds (organization_id, expire_time) WHERE state = 'OPEN';

-- What an entry changes of what its organization owns less what it owes.
CREATE FUNCTION entry_moved_micros(type text, amount_micros bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN type IN ('HOLD', 'RELEASE', 'EXPIRY', 'AT_RISK', 'AT_RISK_ENDED', 'DEBT_REPAYMENT') THEN 0
    ELSE amount_micros
END;

-- Appends entries of any wallets, each after the last one of its wallet, and moves the wallets' money with
-- them: neither is there without the other. The planner has no choice here, since a plan that was good for
-- a small table would be kept while the table grows.
CREATE FUNCTION append_entries(new_entries entries[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    wallet_count bigint;
    advanced_count bigint;
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT
                sequence - lag(sequence) OVER wallet AS step,
                balance_after_micros - owed_after_micros
                    - lag(balance_after_micros - owed_after_micros) OVER wallet AS change,
                entry_moved_micros(type, amount_micros) AS moved
            FROM unnest(new_entries)
            WINDOW wallet AS (PARTITION BY organization_id ORDER BY sequence)
        ) AS steps
        WHERE step <> 1 OR change <> moved
    ) THEN
        RAISE EXCEPTION 'an entry does not start where the one before it ended'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_follow_one_another';
    END IF;

    INSERT INTO entries SELECT * FROM unnest(new_entries);

    WITH tails AS (
        SELECT DISTINCT ON (organization_id)
            *,
            first_value(sequence) OVER wallet - 1 AS sequence_before,
            first_value(balance_after_micros - owed_after_micros
                - entry_moved_micros(type, amount_micros)) OVER wallet AS position_before
        FROM unnest(new_entries)
        WINDOW wallet AS (PARTITION BY organization_id ORDER BY sequence)
        ORDER BY organization_id, sequence DESC
    ),
    advanced AS (
        UPDATE wallets
        SET last_sequence = tails.sequence,
            balance_micros = tails.balance_after_micros,
            held_micros = tails.held_after_micros,
            owed_micros = tails.owed_after_micros,
            chain = tails.chain,
            currency_code = tails.currency_code,
            update_time = tails.create_time
        FROM tails
        WHERE wallets.organization_id = tails.organization_id
          AND wallets.last_sequence = tails.sequence_before
          AND coalesce(wallets.currency_code, tails.currency_code) = tails.currency_code
          AND wallets.balance_micros - wallets.owed_micros = tails.position_before
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM tails), (SELECT count(*) FROM advanced)
    INTO wallet_count, advanced_count;

    IF advanced_count <> wallet_count THEN
        RAISE EXCEPTION 'an entry does not start where its wallet stands'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_follow_one_another';
    END IF;
END
$$;

REVOKE ALL ON FUNCTION append_entries(entries[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION append_entries(entries[]) TO wallet;

-- Appends a repair, which alone may stand where its wallet does not, and sets the wallet's money by it. What
-- it leaves must be what all entries come to: it moves no money either.
CREATE FUNCTION repair_wallet(repair entries) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    next_sequence bigint;
    moved_micros numeric;
BEGIN
    PERFORM FROM wallets WHERE organization_id = repair.organization_id FOR UPDATE;

    SELECT coalesce(max(sequence), 0) + 1, coalesce(sum(entry_moved_micros(type, amount_micros)), 0)
    INTO next_sequence, moved_micros
    FROM entries
    WHERE organization_id = repair.organization_id;

    IF repair.type <> 'REPAIR'
        OR repair.sequence <> next_sequence
        OR repair.balance_after_micros - repair.owed_after_micros <> moved_micros
    THEN
        RAISE EXCEPTION 'a repair must leave what the entries before it come to'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'repairs_follow_from_entries';
    END IF;

    INSERT INTO entries SELECT repair.*;

    UPDATE wallets
    SET last_sequence = repair.sequence,
        balance_micros = repair.balance_after_micros,
        held_micros = repair.held_after_micros,
        owed_micros = repair.owed_after_micros,
        chain = repair.chain,
        update_time = repair.create_time
    WHERE organization_id = repair.organization_id;

    IF NOT FOUND THEN
        RAISE EXCEPTION 'a repair needs the row of its wallet'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'repairs_have_a_wallet';
    END IF;
END
$$;

REVOKE ALL ON FUNCTION repair_wallet(entries) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION repair_wallet(entries) TO wallet;

REVOKE ALL ON entries FROM wallet;

GRANT SELECT ON entries TO wallet;

REVOKE UPDATE, INSERT ON wallets FROM wallet;

-- All but the money and what is written with it.
GRANT INSERT (organization_id, create_time, update_time), UPDATE (
    currency_code, kept_micros, at_risk_micros, depleted, depleted_since, depleted_below_micros,
    resume_above_micros, freezes, level_revision, subscription_revision, subscription_state,
    subscription_good_standing, subscription_good_until, next_hold_expire_time, reevaluate_time,
    create_time, update_time
) ON wallets TO wallet;

GRANT SELECT, INSERT, UPDATE ON holds TO wallet;
