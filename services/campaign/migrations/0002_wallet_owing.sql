-- Levels that were told before debts were: nobody owed anything.
ALTER TABLE organizations ADD COLUMN wallet_owing_micros bigint;

UPDATE organizations SET wallet_owing_micros = 0 WHERE wallet_revision IS NOT NULL;

ALTER TABLE organizations
    DROP CONSTRAINT organizations_wallet_is_whole,
    ADD CONSTRAINT organizations_wallet_is_whole CHECK (
        num_nulls(
            wallet_revision, wallet_frozen, wallet_freeze_reasons, wallet_depleted, wallet_owing_micros,
            wallet_currency_code
        ) IN (0, 6)
    ),
    ADD CONSTRAINT organizations_wallet_owing_not_negative CHECK (wallet_owing_micros >= 0);
