-- Wallets are counted by how they stand, often: those that were opened, as they are listed. In place of
-- indexes that had the others as well.
CREATE INDEX wallets_opened_frozen ON wallets (organization_id)
    WHERE freezes <> '[]' AND currency_code IS NOT NULL;

CREATE INDEX wallets_opened_owing ON wallets (organization_id)
    WHERE owed_micros > 0 AND currency_code IS NOT NULL;

CREATE INDEX wallets_opened_depleted ON wallets (organization_id)
    WHERE depleted AND currency_code IS NOT NULL;

DROP INDEX wallets_frozen;

DROP INDEX wallets_owing;

DROP INDEX wallets_depleted;
