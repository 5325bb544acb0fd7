-- An organization is also to be looked at again when it has been depleted for as long as the policy bears.
ALTER TABLE organizations
    DROP CONSTRAINT organizations_reevaluated_when_good_news_expires,
    ADD CONSTRAINT organizations_reevaluated_when_time_suspends CHECK (
        reevaluate_time IS NULL
        OR (subscription_good_standing AND reevaluate_time = subscription_good_until)
        OR (wallet_depleted AND reevaluate_time > wallet_depleted_since)
    );
