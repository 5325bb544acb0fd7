-- Customers who have gone leave wallets that stay frozen: there are more of them with each year, and neither
-- what is counted every few seconds nor the list of those with a graver reason may read them all. A wallet's
-- freezes stand in the order in which they were set, so that of each reason the first is the oldest.
CREATE INDEX wallets_frozen_by_operators ON wallets (
    ((jsonb_path_query_first(freezes, '$[*] ? (@.reason == "OPERATOR").create_time') #>> '{}')) COLLATE "C",
    organization_id
) WHERE freezes @> '[{"reason": "OPERATOR"}]' AND currency_code IS NOT NULL;

CREATE INDEX wallets_frozen_by_disputes ON wallets (
    ((jsonb_path_query_first(freezes, '$[*] ? (@.reason == "DISPUTE").create_time') #>> '{}')) COLLATE "C",
    organization_id
) WHERE freezes @> '[{"reason": "DISPUTE"}]' AND currency_code IS NOT NULL;

CREATE INDEX wallets_frozen_by_checks ON wallets (
    ((jsonb_path_query_first(freezes, '$[*] ? (@.reason == "INTEGRITY").create_time') #>> '{}')) COLLATE "C",
    organization_id
) WHERE freezes @> '[{"reason": "INTEGRITY"}]' AND currency_code IS NOT NULL;

CREATE INDEX wallets_frozen_by_subscriptions ON wallets (
    ((jsonb_path_query_first(freezes, '$[*] ? (@.reason == "SUBSCRIPTION_INACTIVE").create_time') #>> '{}'))
        COLLATE "C",
    organization_id
) WHERE freezes @> '[{"reason": "SUBSCRIPTION_INACTIVE"}]' AND currency_code IS NOT NULL;
