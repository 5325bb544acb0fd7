-- What stands otherwise than it should is counted often, and there is little of it as a rule.
CREATE INDEX subaccounts_drift_time ON subaccounts (drift_time) WHERE drift_time IS NOT NULL;

CREATE INDEX subaccounts_failing_time ON subaccounts (failing_time) WHERE failing_time IS NOT NULL;

CREATE INDEX subaccounts_aftermath_failing_time ON subaccounts (aftermath_failing_time)
    WHERE aftermath_failing_time IS NOT NULL;

CREATE INDEX provisions_open_create_time ON provisions (create_time) WHERE account_sid IS NULL;

CREATE INDEX provisions_failing_create_time ON provisions (create_time) WHERE last_error <> '';
