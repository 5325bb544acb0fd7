-- A closed account is looked at once more if a person asks for it: one answer may have been wrong.
ALTER TABLE subaccounts
    DROP CONSTRAINT subaccounts_next_look_is_set,
    ADD CONSTRAINT subaccounts_next_look_is_set CHECK (
        next_attempt_time IS NOT NULL OR observed = 'CLOSED'
    );
