-- Until now what stood as wanted was forgotten. From here on everything but a closed account is looked at
-- again now and then: somebody may have changed it in Twilio's console.
--   told: what came of the last call that is recorded; UNKNOWN if nothing did, or if its outcome is open.
--     observed differs from it only while a call that may change the account is under way.
--   urgent: it must be suspended and is not known to be.
ALTER TABLE subaccounts
    ADD COLUMN told text,
    ADD COLUMN urgent boolean,
    ADD COLUMN drift_time timestamptz,
    ADD COLUMN failing_time timestamptz;

UPDATE subaccounts
SET told = observed,
    urgent = wanted IS NOT DISTINCT FROM 'SUSPENDED' AND observed NOT IN ('SUSPENDED', 'CLOSED'),
    drift_time = CASE WHEN wanted <> observed AND observed <> 'CLOSED' THEN now() END,
    failing_time = CASE WHEN last_error <> '' THEN now() END,
    -- Spread over an hour, so that they do not all come at once.
    next_attempt_time = CASE
        WHEN observed <> 'CLOSED' THEN coalesce(next_attempt_time, now() + random() * interval '1 hour')
    END;

ALTER TABLE subaccounts
    ALTER COLUMN told SET NOT NULL,
    ALTER COLUMN urgent SET NOT NULL,
    DROP CONSTRAINT subaccounts_drift_is_due,
    DROP CONSTRAINT subaccounts_closed_is_left_alone,
    ADD CONSTRAINT subaccounts_next_look_is_set CHECK ((next_attempt_time IS NULL) = (observed = 'CLOSED')),
    ADD CONSTRAINT subaccounts_told_is_known CHECK (told IN ('UNKNOWN', 'ACTIVE', 'SUSPENDED', 'CLOSED')),
    ADD CONSTRAINT subaccounts_told_is_shown CHECK (observed = told OR lease_end_time IS NOT NULL),
    ADD CONSTRAINT subaccounts_urgent_is_to_be_suspended CHECK (
        urgent = (wanted IS NOT DISTINCT FROM 'SUSPENDED' AND observed NOT IN ('SUSPENDED', 'CLOSED'))
    ),
    ADD CONSTRAINT subaccounts_drift_has_a_time CHECK (
        (drift_time IS NOT NULL) = (wanted IS NOT NULL AND observed NOT IN (wanted, 'CLOSED'))
    ),
    ADD CONSTRAINT subaccounts_failing_has_a_time CHECK ((failing_time IS NOT NULL) = (last_error <> ''));

GRANT UPDATE (told, urgent, drift_time, failing_time) ON subaccounts TO telephony;

-- What was tried in vain comes behind what was not, so each has an index of its own.
DROP INDEX subaccounts_next_attempt_time;

CREATE INDEX subaccounts_untried ON subaccounts (urgent, next_attempt_time) WHERE attempt_count = 0;

CREATE INDEX subaccounts_tried ON subaccounts (urgent, next_attempt_time) WHERE attempt_count > 0;

-- What became of subaccounts, and why. It only grows.
--   observed_from, observed_to: told before and after.
CREATE TABLE subaccount_changes (
    organization_id text NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    account_sid text NOT NULL,
    wanted_from text,
    wanted_to text,
    observed_from text NOT NULL,
    observed_to text NOT NULL,
    cause text NOT NULL,
    actor text NOT NULL,
    note text NOT NULL,
    error text NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT subaccount_changes_pkey PRIMARY KEY (sequence),
    CONSTRAINT subaccount_changes_subaccount_exists FOREIGN KEY (account_sid)
        REFERENCES subaccounts (account_sid),
    CONSTRAINT subaccount_changes_cause_is_known CHECK (
        cause IN (
            'REGISTERED', 'PROVISIONED', 'SUBSCRIPTION', 'WALLET', 'OPERATOR', 'TIME', 'TWILIO', 'DRIFT'
        )
    ),
    CONSTRAINT subaccount_changes_wanted_is_known CHECK (
        wanted_from IN ('ACTIVE', 'SUSPENDED') AND wanted_to IN ('ACTIVE', 'SUSPENDED')
    ),
    CONSTRAINT subaccount_changes_observed_is_known CHECK (
        observed_from IN ('UNKNOWN', 'ACTIVE', 'SUSPENDED', 'CLOSED')
        AND observed_to IN ('UNKNOWN', 'ACTIVE', 'SUSPENDED', 'CLOSED')
    )
);

CREATE INDEX subaccount_changes_time ON subaccount_changes (create_time, sequence);

CREATE INDEX subaccount_changes_organization_time
    ON subaccount_changes (organization_id, create_time, sequence);

CREATE INDEX subaccount_changes_subaccount_time ON subaccount_changes (account_sid, create_time, sequence);

GRANT SELECT, INSERT ON subaccount_changes TO telephony;
