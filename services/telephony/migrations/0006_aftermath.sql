-- An organization is also to be looked at again when it has been depleted for as long as the policy bears.
ALTER TABLE organizations
    DROP CONSTRAINT organizations_reevaluated_when_good_news_expires,
    ADD CONSTRAINT organizations_reevaluated_when_time_suspends CHECK (
        reevaluate_time IS NULL
        OR (subscription_good_standing AND reevaluate_time = subscription_good_until)
        OR (wallet_depleted AND reevaluate_time > wallet_depleted_since)
    );

-- What is still to be ended after a suspension: calls in progress, scheduled messages. All of it is set while
-- the account stands suspended as wanted, and NULL otherwise.
--   message_page: where the reading of messages goes on, in Twilio's words; NULL once all have been read.
--   clear_time: since when nothing is left.
ALTER TABLE subaccounts
    ADD COLUMN aftermath_begin_time timestamptz,
    ADD COLUMN aftermath_due_time timestamptz,
    ADD COLUMN aftermath_attempt_count integer,
    ADD COLUMN aftermath_ended_call_count integer,
    ADD COLUMN aftermath_canceled_message_count integer,
    ADD COLUMN aftermath_found_call_count integer,
    ADD COLUMN aftermath_message_page text,
    ADD COLUMN aftermath_message_refused boolean,
    ADD COLUMN aftermath_clear_time timestamptz,
    ADD COLUMN aftermath_error text,
    ADD COLUMN aftermath_failing_time timestamptz;

-- Those that are suspended already are looked at too, not all at once.
UPDATE subaccounts
SET aftermath_begin_time = now(),
    aftermath_due_time = now() + random() * interval '1 hour',
    aftermath_attempt_count = 0,
    aftermath_ended_call_count = 0,
    aftermath_canceled_message_count = 0,
    aftermath_found_call_count = 0,
    aftermath_message_page = '',
    aftermath_message_refused = false,
    aftermath_error = ''
WHERE wanted = 'SUSPENDED' AND observed = 'SUSPENDED';

ALTER TABLE subaccounts
    ADD CONSTRAINT subaccounts_aftermath_is_whole CHECK (
        num_nulls(
            aftermath_begin_time, aftermath_due_time, aftermath_attempt_count, aftermath_ended_call_count,
            aftermath_canceled_message_count, aftermath_found_call_count, aftermath_message_refused,
            aftermath_error
        ) IN (0, 8)
    ),
    ADD CONSTRAINT subaccounts_aftermath_follows_a_suspension CHECK (
        (aftermath_begin_time IS NOT NULL)
        = (wanted IS NOT DISTINCT FROM 'SUSPENDED' AND observed = 'SUSPENDED')
    ),
    ADD CONSTRAINT subaccounts_aftermath_failing_has_a_time CHECK (
        (aftermath_failing_time IS NOT NULL) = (coalesce(aftermath_error, '') <> '')
    );

GRANT UPDATE (
    aftermath_begin_time, aftermath_due_time, aftermath_attempt_count, aftermath_ended_call_count,
    aftermath_canceled_message_count, aftermath_found_call_count, aftermath_message_page,
    aftermath_message_refused, aftermath_clear_time, aftermath_error, aftermath_failing_time
) ON subaccounts TO telephony;

CREATE INDEX subaccounts_aftermath_due_time ON subaccounts (aftermath_due_time)
    WHERE aftermath_due_time IS NOT NULL;

ALTER TABLE subaccount_changes
    ADD COLUMN ended_call_count integer NOT NULL DEFAULT 0,
    ADD COLUMN canceled_message_count integer NOT NULL DEFAULT 0,
    DROP CONSTRAINT subaccount_changes_cause_is_known,
    ADD CONSTRAINT subaccount_changes_cause_is_known CHECK (
        cause IN (
            'REGISTERED', 'PROVISIONED', 'SUBSCRIPTION', 'WALLET', 'OPERATOR', 'TIME', 'TWILIO', 'DRIFT',
            'AFTERMATH'
        )
    );
