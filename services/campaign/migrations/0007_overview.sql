-- Campaigns are counted by how they stand, often, and organizations that a person has paused.
CREATE INDEX campaigns_running ON campaigns (organization_id) WHERE state = 'RUNNING';

CREATE INDEX campaigns_paused ON campaigns (pause_reason, pause_time) WHERE state = 'PAUSED';

CREATE INDEX organizations_paused ON organizations (organization_pause_time)
    WHERE organization_pause_time IS NOT NULL;
