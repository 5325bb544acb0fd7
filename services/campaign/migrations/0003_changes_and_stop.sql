-- The emergency stop holds for all organizations, also for those that are made while it stands. Each
-- PauseAllCampaigns and ResumeAllCampaigns that changes it adds one to its number: it stands while that is odd.
CREATE TABLE emergency_stop (
    number bigint NOT NULL,
    note text NOT NULL,
    actor text NOT NULL,
    change_time timestamptz NOT NULL,
    CONSTRAINT emergency_stop_number_not_negative CHECK (number >= 0)
);

CREATE UNIQUE INDEX emergency_stop_is_one ON emergency_stop ((true));

INSERT INTO emergency_stop VALUES (0, '', '', now());

-- A volatile function sees what is committed at the moment of its call: a statement that has waited for an
-- organization's lock reads the stop as it is after the wait, not as it was when the statement began.
CREATE FUNCTION current_stop() RETURNS emergency_stop
LANGUAGE sql VOLATILE
AS $$
SELECT * FROM emergency_stop
$$;

GRANT SELECT, UPDATE ON emergency_stop TO campaign;

-- Under which of the stop's numbers the campaigns were settled last: as long as it is another, they are due.
ALTER TABLE organizations
    ADD COLUMN settled_stop_number bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT organizations_settled_stop_number_not_negative CHECK (settled_stop_number >= 0);

CREATE INDEX organizations_settled_stop_number ON organizations (settled_stop_number, organization_id);

CREATE INDEX organizations_lapse ON organizations (reevaluate_time, organization_id)
    WHERE reevaluate_time IS NOT NULL;

DROP INDEX organizations_reevaluate_time;

ALTER TABLE campaigns
    DROP CONSTRAINT campaigns_pause_reason_is_known,
    ADD CONSTRAINT campaigns_pause_reason_is_known CHECK (
        pause_reason IN (
            'MANUAL_PAUSE', 'EMERGENCY_STOP', 'ORGANIZATION_PAUSE', 'SUBSCRIPTION_INACTIVE', 'WALLET_FROZEN',
            'WALLET_DEPLETED'
        )
    );

-- One line for each change of a campaign's state or of why it is paused, written by the statement that
-- changes it; kept for ever. from_state is null for the line of its creation.
CREATE TABLE campaign_changes (
    organization_id text NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    campaign_id text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    pause_reason text,
    cause text NOT NULL,
    actor text NOT NULL,
    note text NOT NULL,
    stop_number bigint,
    create_time timestamptz NOT NULL,
    CONSTRAINT campaign_changes_pkey PRIMARY KEY (organization_id, sequence),
    CONSTRAINT campaign_changes_campaign_exists FOREIGN KEY (campaign_id) REFERENCES campaigns (campaign_id),
    CONSTRAINT campaign_changes_from_state_is_known CHECK (
        from_state IN ('DRAFT', 'RUNNING', 'PAUSED', 'COMPLETED')
    ),
    CONSTRAINT campaign_changes_to_state_is_known CHECK (
        to_state IN ('DRAFT', 'RUNNING', 'PAUSED', 'COMPLETED')
    ),
    CONSTRAINT campaign_changes_paused_has_reason CHECK ((pause_reason IS NOT NULL) = (to_state = 'PAUSED')),
    CONSTRAINT campaign_changes_cause_is_known CHECK (
        cause IN ('COMMAND', 'ORGANIZATION_PAUSE', 'EMERGENCY_STOP', 'SUBSCRIPTION', 'WALLET', 'TIME')
    ),
    CONSTRAINT campaign_changes_stop_has_number CHECK ((stop_number IS NOT NULL) = (cause = 'EMERGENCY_STOP'))
);

-- Newest first, each of them: all changes, and those that one of the filters leaves.
CREATE INDEX campaign_changes_newest ON campaign_changes (create_time, sequence);

CREATE INDEX campaign_changes_of_organization ON campaign_changes (organization_id, create_time, sequence);

CREATE INDEX campaign_changes_of_campaign ON campaign_changes (campaign_id, create_time, sequence);

CREATE INDEX campaign_changes_of_actor ON campaign_changes (actor, create_time, sequence) WHERE actor <> '';

CREATE INDEX campaign_changes_of_cause ON campaign_changes (cause, create_time, sequence);

-- How many campaigns a stop has moved, whoever settled them.
CREATE INDEX campaign_changes_of_stop ON campaign_changes (stop_number) WHERE stop_number IS NOT NULL;

GRANT SELECT, INSERT ON campaign_changes TO campaign;
