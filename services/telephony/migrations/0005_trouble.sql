-- How Twilio stands as a whole: one row for the service. What every call suffers from is written here, and not
-- at each subaccount.
--   OK -> UNAVAILABLE: calls of several subaccounts in a row got no answer.
--   OK -> PARENT_SUSPENDED: Twilio refused a change for the parent's sake.
--   any -> OK, PARENT_SUSPENDED, CREDENTIALS_REFUSED: a probe said so.
-- A probe that is due while the state is OK is to say whether a refusal was one account's or the parent's.
CREATE TABLE twilio_trouble (
    state text NOT NULL,
    since timestamptz NOT NULL,
    last_error text NOT NULL,
    failure_count integer NOT NULL,
    failing_account_sids text[] NOT NULL,
    probe_count integer NOT NULL,
    probe_due_time timestamptz,
    probe_number bigint NOT NULL,
    probe_lease_end_time timestamptz,
    CONSTRAINT twilio_trouble_state_is_known CHECK (
        state IN ('OK', 'UNAVAILABLE', 'PARENT_SUSPENDED', 'CREDENTIALS_REFUSED')
    ),
    CONSTRAINT twilio_trouble_has_an_error CHECK ((state = 'OK') = (last_error = '')),
    -- Only a probe ends trouble.
    CONSTRAINT twilio_trouble_is_probed CHECK (state = 'OK' OR probe_due_time IS NOT NULL),
    CONSTRAINT twilio_trouble_counts_not_negative CHECK (failure_count >= 0 AND probe_count >= 0)
);

CREATE UNIQUE INDEX twilio_trouble_is_one ON twilio_trouble ((true));

INSERT INTO twilio_trouble VALUES ('OK', now(), '', 0, '{}', 0, NULL, 0, NULL);

GRANT SELECT, UPDATE ON twilio_trouble TO telephony;
