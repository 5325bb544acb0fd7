-- What an entry changes of what is held; NULL where its type alone does not tell.
CREATE FUNCTION entry_held_micros(type text, amount_micros bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN type = 'DEBIT' THEN 0
    WHEN type IN ('HOLD', 'RELEASE', 'EXPIRY', 'AT_RISK', 'AT_RISK_ENDED') THEN amount_micros
    WHEN type IN ('CAPTURE', 'REVERSAL') THEN NULL
    ELSE 0
END;

-- As before: appends entries of any wallets, each after the last one of its wallet, and moves the wallets'
-- money with them. Now what is held must follow too, and each entry must be in its wallet's currency: a
-- wallet in two currencies falls into two, of which only one can stand where the wallet does. One pass over
-- the entries tells all of that, and where each wallet ends.
CREATE OR REPLACE FUNCTION append_entries(new_entries entries[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    wrong_count bigint;
    wallet_count bigint;
    advanced_count bigint;
BEGIN
    INSERT INTO entries SELECT * FROM unnest(new_entries);

    WITH steps AS MATERIALIZED (
        SELECT
            organization_id,
            sequence,
            balance_after_micros,
            held_after_micros,
            owed_after_micros,
            currency_code,
            chain,
            create_time,
            balance_after_micros - owed_after_micros - entry_moved_micros(type, amount_micros)
                - lag(balance_after_micros - owed_after_micros) OVER wallet AS unexplained_micros,
            held_after_micros - entry_held_micros(type, amount_micros)
                - lag(held_after_micros) OVER wallet AS unexplained_held_micros,
            lead(sequence) OVER wallet AS next_sequence,
            sequence - row_number() OVER wallet AS sequence_before,
            first_value(balance_after_micros - owed_after_micros
                - entry_moved_micros(type, amount_micros)) OVER wallet AS position_before,
            first_value(held_after_micros
                - entry_held_micros(type, amount_micros)) OVER wallet AS held_before
        FROM unnest(new_entries)
        WINDOW wallet AS (
            PARTITION BY organization_id, currency_code ORDER BY sequence ROWS UNBOUNDED PRECEDING
        )
    ),
    tails AS (
        SELECT * FROM steps WHERE next_sequence IS NULL
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
          AND wallets.held_micros = coalesce(tails.held_before, wallets.held_micros)
        RETURNING 1
    )
    SELECT
        (
            SELECT count(*)
            FROM steps
            WHERE next_sequence <> sequence + 1
                OR unexplained_micros <> 0
                OR unexplained_held_micros <> 0
        ),
        (SELECT count(*) FROM tails),
        (SELECT count(*) FROM advanced)
    INTO wrong_count, wallet_count, advanced_count;

    IF wrong_count > 0 OR advanced_count <> wallet_count THEN
        RAISE EXCEPTION 'an entry does not follow from the one before it, or from its wallet'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_follow_one_another';
    END IF;
END
$$;

-- A wallet's currency is set once: by this, or by its first entry.
CREATE FUNCTION open_wallet(of_organization_id text, in_currency_code text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
    UPDATE wallets
    SET currency_code = in_currency_code
    WHERE organization_id = of_organization_id AND currency_code IS NULL
$$;

REVOKE ALL ON FUNCTION open_wallet(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION open_wallet(text, text) TO wallet;

-- What a wallet's entries come to, up to one of them, so that a repair need not sum up a long ledger while
-- it holds the wallet's lock. The service's role can only have it summed up.
CREATE TABLE ledger_sums (
    organization_id text NOT NULL,
    sequence bigint NOT NULL,
    moved_micros numeric NOT NULL,
    CONSTRAINT ledger_sums_pkey PRIMARY KEY (organization_id)
);

CREATE FUNCTION sum_up_ledger(of_organization_id text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
AS $$
    INSERT INTO ledger_sums
    SELECT organization_id, max(sequence), sum(entry_moved_micros(type, amount_micros))
    FROM entries
    WHERE organization_id = of_organization_id
    GROUP BY organization_id
    ON CONFLICT (organization_id) DO UPDATE
    SET sequence = EXCLUDED.sequence, moved_micros = EXCLUDED.moved_micros
$$;

REVOKE ALL ON FUNCTION sum_up_ledger(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION sum_up_ledger(text) TO wallet;

-- As before: appends a repair, which alone may stand where its wallet does not, and sets the wallet's money
-- by it, and its currency. What it leaves must be what all entries come to: it moves no money either.
CREATE OR REPLACE FUNCTION repair_wallet(repair entries) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    summed ledger_sums;
    next_sequence bigint;
    moved_micros numeric;
BEGIN
    PERFORM FROM wallets WHERE organization_id = repair.organization_id FOR UPDATE;

    SELECT * INTO summed FROM ledger_sums WHERE organization_id = repair.organization_id;

    SELECT coalesce(max(sequence), 0) + 1
    INTO next_sequence
    FROM entries
    WHERE organization_id = repair.organization_id;

    SELECT coalesce(summed.moved_micros, 0) + coalesce(sum(entry_moved_micros(type, amount_micros)), 0)
    INTO moved_micros
    FROM entries
    WHERE organization_id = repair.organization_id AND sequence > coalesce(summed.sequence, 0);

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
        currency_code = repair.currency_code,
        chain = repair.chain,
        update_time = repair.create_time
    WHERE organization_id = repair.organization_id;

    IF NOT FOUND THEN
        RAISE EXCEPTION 'a repair needs the row of its wallet'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'repairs_have_a_wallet';
    END IF;
END
$$;

REVOKE UPDATE (currency_code) ON wallets FROM wallet;

REVOKE UPDATE ON holds, payments FROM wallet;

-- All but whose they are, and under which name.
GRANT UPDATE (
    amount_micros, remaining_micros, captured_micros, state, expire_time, description, metadata, create_time,
    update_time
) ON holds TO wallet;

GRANT UPDATE (
    revision, credited_micros, reversed_micros, at_risk_micros, blocks_spending
) ON payments TO wallet;
